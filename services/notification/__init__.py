"""The notification desk: tells people, by SMS and by mail.

owns      messages, withdrawals
answers   nobody
hears     DeclarationSubmitted, DeclarationRejected, DeclarationExpired, DeclarationWithdrawn, AccountActivated
tells     nothing
"""
