"""The work of the registration desk: get, act, announce."""
