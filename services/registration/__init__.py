"""The registration desk: takes declarations, keeps accounts.

owns      declarations, uploads, accounts, agencies
answers   store_upload, get_upload, drop_upload, submit_declaration, get_declaration, withdraw_declaration, print_form01,
          read_qr, list_provinces, list_wards, list_agencies
hears     DeclarationSubmitted (its own), DeclarationReceived, DeclarationReturned, DeclarationApproved,
          DeclarationRejected, CardIssued
tells     DeclarationSubmitted, DeclarationWithdrawn, DeclarationExpired, AccountActivated
"""
