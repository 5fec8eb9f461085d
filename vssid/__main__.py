"""`python -m vssid`, the same as `vssid`."""

from vssid.command import main

if __name__ == "__main__":
    main()
