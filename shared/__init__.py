"""What every desk uses; knows no desk."""
