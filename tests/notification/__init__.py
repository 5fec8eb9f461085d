"""Tests of the notification desk."""
