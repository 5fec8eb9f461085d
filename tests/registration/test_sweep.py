"""Files that no row names are found, whatever moment a process died at."""

import sqlalchemy as sa

from services.registration import models
from services.registration.domain.upload import Upload, form_key
from tests.support.databases import service_database
from tests.support.events import AT


def test_only_files_that_no_row_names_are_strays(settings):
    with service_database("registration", settings) as database, database.begin() as session:
        session.add(Upload("upload-1", "portrait", "image/jpeg", 1, "uploads/portrait/upload-1.jpg", AT))
        session.execute(sa.text(DECLARED))
        keys = [
            "uploads/portrait/upload-1.jpg",
            "uploads/upload-2.jpg",
            form_key("kept"),
            form_key("gone"),
            "incoming/x",
        ]
        assert models.keys_without_rows(session, keys) == ["uploads/upload-2.jpg", form_key("gone"), "incoming/x"]


DECLARED = """
INSERT INTO declarations
  (declaration_id, number, tracking_code, kind, agency, insurance_code, applicant, submitted_at, expires_at, status,
   handled_version, history)
VALUES
  ('kept', '2026-0000001', 'ABCDEFGHJK', 'register', '{}', '7900000017', '{}', '2026-08-03', '2026-08-13',
   'pending', 0, '[]')
"""
