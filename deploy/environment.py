"""Writes .env from .env.example with fresh secrets, or completes one of an older release with the secrets it lacks.

Run by `make up` on machines that have Python and Docker and nothing else, so it uses the standard library alone. What
stands in .env already is kept: the volumes were made with it.
"""

import base64
import os
import re
import secrets
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECRET = re.compile(r"(?m)^([A-Z_]*_(?:PASSWORD|KEY)(?:_[A-Z]+)?)=$")


def complete(env: Path, example: Path) -> list[str]:
    """Write the file so that it has every secret of the example, readable by its owner alone; return the new ones."""
    wanted = SECRET.findall(example.read_text("utf-8"))
    text = (env if env.exists() else example).read_text("utf-8")
    known = re.findall(r"(?m)^([A-Z_]+)=", text)
    missing = "".join(f"{name}=\n" for name in wanted if name not in known)
    text = f"{text.rstrip()}\n{missing}"
    # an empty one of somebody else, such as AWS's, stays empty
    fresh = [name for name in SECRET.findall(text) if name in wanted]
    _write(env, SECRET.sub(lambda found: found[0] + (_fresh() if found[1] in fresh else ""), text))
    return fresh


def _fresh() -> str:
    """Return 32 random bytes as Fernet, URLs and RabbitMQ take them."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _write(env: Path, text: str) -> None:
    """Put the text in place of the file in one step, so that no secret is lost half way."""
    new = env.with_name(f"{env.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(env)


if __name__ == "__main__":
    if made := complete(ROOT / ".env", ROOT / ".env.example"):
        print(f"make: wrote fresh secrets into .env: {', '.join(made)}")
