from __future__ import annotations

from config.core.signing import Signer
from health.core.session_token import MAX_TOKENS, PURPOSE, SessionToken, seal, seal_header, unseal, unseal_header

SIGNER = Signer([b"k" * 32])
EU, US = "eu:s000.aaaa", "us:s000.aaaa"
NOTE = SessionToken("note", 7, {"notes": {EU: 3}})


def test_a_token_comes_back_and_is_compact() -> None:
    sealed = seal(NOTE, SIGNER)
    assert unseal(sealed, SIGNER) == NOTE
    assert len(sealed) < 100


def test_forged_tokens_are_refused() -> None:
    assert unseal(seal(NOTE, SIGNER), Signer([b"o" * 32])) is None
    assert unseal("AAAA", SIGNER) is None
    assert unseal(SIGNER.seal(PURPOSE, b"\xc1"), SIGNER) is None
    assert unseal_header(seal(NOTE, SIGNER) + ", forged", SIGNER) is None


def test_a_header_holds_a_token_a_class() -> None:
    other = SessionToken("profile", 9, {"profiles": {US: 1}})
    header = seal_header([NOTE, other], SIGNER)
    assert unseal_header(header, SIGNER) == {"note": NOTE, "profile": other}
    assert unseal_header("", SIGNER) == {}


def test_two_tokens_of_a_class_count_together() -> None:
    later = SessionToken("note", 9, {"notes": {EU: 1, US: 2}, "drafts": {EU: 1}})
    joined = SessionToken("note", 9, {"notes": {EU: 3, US: 2}, "drafts": {EU: 1}})
    assert unseal_header(seal_header([NOTE, later], SIGNER), SIGNER) == {"note": joined}
    assert NOTE.seen == {"notes": {EU: 3}}


def test_headers_are_bounded() -> None:
    assert unseal_header(", ".join([seal(NOTE, SIGNER)] * (MAX_TOKENS + 1)), SIGNER) is None
    assert unseal_header("A" * 20000, SIGNER) is None


def test_a_store_covers_a_token_when_it_has_applied_all_of_it() -> None:
    assert NOTE.is_covered({"notes": {EU: 3, US: 1}})
    assert not NOTE.is_covered({"notes": {EU: 2}})
    assert not NOTE.is_covered({})
    assert SessionToken("note", 0, {}).is_covered({})
