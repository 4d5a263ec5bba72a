"""The keys that all nodes of a mesh share: named by the operator, or made at the first start and kept.

    secrets.signing_keys: [env:..., file:...]  ──> read where they stand, every time; files are watched by who signs
    nothing named                              ──> data_dir/keys/signing, made once, for its owner only

Made keys are right for one node; nodes of a mesh that made their own would refuse each other's cookies and tokens, so
a configuration with peers has to name them (config/relations.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from config.core.signing import Signer
from config.models import Config
from config.models.values import SecretReference
from config.secrets import resolve

KEY_BYTES: Final = 32


class KeysUnusable(Exception):
    """The folder for keys cannot be read or written. The message says which and why, never a key."""


def signing_keys(config: Config, *, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The first signs, all verify. Raises SecretUnavailable or KeysUnusable."""
    return _keys(config.secrets.signing_keys, _kept_signing_key(config), environ)


def mesh_signer(config: Config, *, environ: Mapping[str, str]) -> Signer:
    """Raises SecretUnavailable or KeysUnusable."""
    return Signer(signing_keys(config, environ=environ))


def signing_key_files(config: Config) -> tuple[str, ...]:
    """Where they are read from, as far as those are files: what changes there is a rotation."""
    named = config.secrets.signing_keys
    if named:
        return tuple(reference.name for reference in named if reference.kind == "file")
    return (str(_kept_signing_key(config)),)


def _kept_signing_key(config: Config) -> Path:
    return Path(config.node.data_dir) / "keys" / "signing"


def routing_signer(config: Config, *, environ: Mapping[str, str]) -> Signer | None:
    """What routing signs and verifies with; None where nothing does. Raises SecretUnavailable or KeysUnusable."""
    by_route = any(route.sticky_split != "none" or route.consistency.kind != "none" for route in config.routes)
    by_service = any(service.sticky_session is not None for service in config.services)
    by_operators = any(token.role != "viewer" for token in config.admin.tokens)  # they may ask for explanations
    if not (by_route or by_service or by_operators) and not any(region.reach == "gateway" for region in config.regions):
        return None
    return mesh_signer(config, environ=environ)


def data_keys(config: Config, *, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The first encrypts, all decrypt; of any length. Raises SecretUnavailable or KeysUnusable."""
    return _keys(config.secrets.data_keys, Path(config.node.data_dir) / "keys" / "data", environ)


def _keys(named: Sequence[SecretReference], kept: Path, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    if named:
        return tuple(resolve(reference, environ=environ) for reference in named)
    try:
        return (_kept_key(kept),)
    except OSError as error:
        raise KeysUnusable(f"{kept}: {error.strerror or error}, expected a file that this user may write") from error


def _kept_key(path: Path) -> bytes:
    """Whoever links its file first wins: several processes of a node start at once and must agree."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        _make_durable(path.parent)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeysUnusable(
            f"{path} holds {len(key)} bytes, expected {KEY_BYTES}: restore it, or remove it for a new key"
        )
    return key


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
