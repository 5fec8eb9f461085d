"""Approval: officers, their queue, the decision, and the household register.

owns      reviews, the insurance codes that have an account, officers, their sessions and the addresses they signed in
          from, failed attempts to sign in, the imported household register, the journal of what officers saw and did
answers   sign_in, sign_out, list_sessions, end_session, list_officers, end_officer_sessions, list_reviews,
          get_review, view_photo, receive_declaration, return_declaration, replace_photo, remind,
          request_first_password, approve_declaration, reject_declaration, list_journal
hears     DeclarationSubmitted, DeclarationWithdrawn, DeclarationExpired, FirstPasswordUndelivered
tells     DeclarationReceived, DeclarationReturned, PhotoReplaced, ReminderRequested, DeclarationApproved,
          DeclarationRejected, FirstPasswordRequested
"""
