"""What every service speaks: events, errors, values, the clock and text. The standard library and phonenumbers."""
