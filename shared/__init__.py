"""What every service uses; knows no service."""
