"""Approval: officers, their queue, the decision, and the household register.

owns      reviews, officers and their sessions, failed attempts to sign in, the imported household register
answers   sign_in, sign_out, list_reviews, get_review, receive_declaration, return_declaration, replace_photo,
          approve_declaration, reject_declaration
hears     DeclarationSubmitted, DeclarationWithdrawn, DeclarationExpired
tells     DeclarationReceived, DeclarationReturned, PhotoReplaced, DeclarationApproved, DeclarationRejected
"""
