"""Registration: accepts declarations, keeps accounts.

owns      declarations, how many a phone and an address sent, uploads, accounts, agencies
answers   store_upload, submit_declaration, get_declaration, withdraw_declaration, print_form01, read_qr,
          list_provinces, list_wards, list_agencies
hears     DeclarationSubmitted (its own), DeclarationReceived, DeclarationReturned, PhotoReplaced, DeclarationApproved,
          DeclarationRejected, FirstPasswordRequested, CardIssued
tells     DeclarationSubmitted, DeclarationAcknowledged, RegistrationRepeated, DeclarationWithdrawn, DeclarationExpired,
          AccountActivated, FirstPasswordRenewed, CardRequested
"""
