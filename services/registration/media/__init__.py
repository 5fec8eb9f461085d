"""What is drawn or decoded: pictures, QR codes in pictures, and Form 01."""
