"""Approval: officers, their queue, the decision, and the household register.

owns      reviews, the insurance codes that have an account, officers, their sessions and the addresses they signed in
          from, failed attempts to sign in, the imported household register
answers   sign_in, sign_out, list_sessions, end_session, list_officers, end_officer_sessions, list_reviews,
          get_review, receive_declaration, return_declaration, replace_photo, remind, approve_declaration,
          reject_declaration
hears     DeclarationSubmitted, DeclarationWithdrawn, DeclarationExpired
tells     DeclarationReceived, DeclarationReturned, PhotoReplaced, ReminderRequested, DeclarationApproved,
          DeclarationRejected
"""
