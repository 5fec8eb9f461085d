"""The notification service: tells people, by SMS and by mail.

owns      messages, withdrawals
answers   note_delivery, list_messages
hears     DeclarationAcknowledged, RegistrationRepeated, ReminderRequested, DeclarationRejected, DeclarationExpired,
          DeclarationWithdrawn, AccountActivated, FirstPasswordRenewed, DeclarationSubmitted (retired)
tells     FirstPasswordUndelivered
"""
