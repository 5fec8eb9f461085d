"""Files of the embedded system are for the user it runs as, and for nobody else."""

import stat

from tests.support.embedded import embedded_system
from tests.support.waiting import until

KINDS = {".db", ".key", ".jpg", ".json", ".eml"}


def open_to_others(folder):
    """Return what others may read, write or enter, by its path."""
    found = [folder, *folder.rglob("*")]
    modes = {path.relative_to(folder.parent).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in found}
    return {name: oct(mode) for name, mode in modes.items() if mode not in (0o600, 0o700)}


def kinds(folder):
    return {path.suffix for path in folder.rglob("*")}


def test_nobody_else_may_read_what_a_declaration_leaves_nor_what_an_older_run_left(tmp_path):
    with embedded_system(tmp_path) as system:
        declared = system.submit()
        system.sign_in().approve(declared)
        until(lambda: "card_issued" in system.history(declared), "the card")
        until(lambda: system.mails_to(declared["who"].email), "the mail with the form")
        assert kinds(system.var) >= {*KINDS, ".db-wal"}
        assert open_to_others(system.var) == {}

    outside = tmp_path / "somebody's own"
    outside.mkdir(mode=0o755)
    (system.var / "store" / "linked").symlink_to(outside)
    for path in (system.var / "seal.key", *system.var.glob("*.db"), *(system.var / "store").rglob("*.jpg")):
        path.chmod(0o644)
    for path in (system.var / "store", system.var / "outbox"):
        path.chmod(0o755)
    system.start()
    try:
        (system.var / "store" / "linked").unlink()
        assert open_to_others(system.var) == {}
        assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    finally:
        system.stop()
