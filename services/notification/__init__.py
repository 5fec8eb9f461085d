"""The notification service: tells people, by SMS and by mail.

owns      messages, withdrawals
answers   note_delivery, list_messages
hears     DeclarationSubmitted, RegistrationRepeated, ReminderRequested, DeclarationRejected, DeclarationExpired,
          DeclarationWithdrawn, AccountActivated
tells     nothing
"""
