"""Frames, blobs and reassembly: bounds, order, duplicates, and other people's bytes."""

import itertools
import random

import pytest

from da import blob, frame, limits
from da.channel import ChannelBank
from da.frame import Frame
from sequencer.core.errors import Malformed
from sequencer.core.types import Hash32

ID = bytes(range(16))
ENCODED = random.Random(1).randbytes(1000)


def frames_of(encoded: bytes = ENCODED, size: int = 250) -> list[Frame]:
    return frame.split(ID, encoded, size)


def offered(bank: ChannelBank, *blobs: list[Frame]) -> list[bytes]:
    return [assembly.encoded for frames in blobs for assembly in bank.add(frames)]


def test_a_frame_is_24_bytes_and_its_payload() -> None:
    encoded = Frame(ID, 3, True, b"abc").encode()
    assert encoded == b"\x01" + ID + b"\x00\x03" + b"\x01" + b"\x00\x00\x00\x03" + b"abc"
    assert frame.HEAD_BYTES == 24


@pytest.mark.parametrize("size", [48, 49, 100, 1023, 1024, 1025, 5000])
def test_blobs_keep_to_the_limit_and_come_apart_again(size: int) -> None:
    header_hash = Hash32(ID + ID)
    blobs = blob.pack(header_hash, ENCODED, size)
    assert all(len(b) <= size for b in blobs)
    frames = [f for b in blobs for f in frame.parse(b).frames]
    assert b"".join(f.payload for f in frames) == ENCODED
    assert [f.is_last for f in frames] == [False] * (len(frames) - 1) + [True]


def test_a_batch_that_needs_too_many_frames_is_refused() -> None:
    with pytest.raises(Malformed):
        frame.split(ID, bytes(limits.MAX_FRAMES + 1), 1)


@pytest.mark.parametrize(
    ("tail", "garbage"),
    [
        (b"", ""),
        (bytes(50), ""),
        (bytes(50) + b"\x01", "bytes after the padding"),
        (b"\x01" + bytes(10), "a frame is cut short"),
        (b"\x02" + bytes(40), "unknown version"),
        (b"\x01" + ID + b"\0\0" + b"\x82" + bytes(4), "unknown version or flags"),
        (b"\x01" + ID + b"\xff\xff" + b"\0" + bytes(4), "too high a number"),
        (b"\x01" + ID + b"\0\0" + b"\0" + b"\xff" * 4, "a frame is longer than its blob"),
    ],
)
def test_frames_before_garbage_count(tail: bytes, garbage: str) -> None:
    good = Frame(ID, 0, True, b"payload")
    parsed = frame.parse(good.encode() + tail)
    assert parsed.frames == (good,)
    assert (garbage in parsed.garbage) if garbage else parsed.garbage == ""


def test_a_blob_has_a_bounded_number_of_frames() -> None:
    parsed = frame.parse(Frame(ID, 0, False, b"").encode() * (limits.MAX_BLOB_FRAMES + 1))
    assert (len(parsed.frames), parsed.garbage) == (limits.MAX_BLOB_FRAMES, "too many frames in one blob")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_frames_come_together_in_any_order(order: tuple[int, ...]) -> None:
    frames = frames_of()
    assert offered(ChannelBank(), *([frames[i]] for i in order)) == [ENCODED]


def test_duplicates_change_nothing_and_forgetting_frees() -> None:
    bank, frames = ChannelBank(), frames_of()
    assert offered(bank, [frames[0]], [frames[0]], frames[:3]) == []
    assert bank.size_bytes == 750
    bank.forget(ID)
    assert (len(bank), bank.size_bytes) == (0, 0)


def test_a_batch_in_one_blob_cannot_be_held_up_by_copies_of_its_heads() -> None:
    bank = ChannelBank()
    forged = [Frame(f.batch_id, f.number, f.is_last, b"forged") for f in frames_of()]
    offered(bank, forged[:3], [forged[0]])
    assert offered(bank, frames_of())[0] == ENCODED


def test_a_batch_sent_again_is_tried_first_whatever_stood_before_it() -> None:
    bank, frames = ChannelBank(), frames_of()
    for n in range(8):
        forged = [Frame(f.batch_id, f.number, f.is_last, b"forged %d" % n) for f in frames[1:]]
        offered(bank, *([f] for f in forged))
    tries = [offered(bank, [f]) for f in frames]
    assert tries[-1][0] == ENCODED
    assert all(len(t) <= limits.MAX_ASSEMBLIES for t in tries)


def test_a_forged_end_does_not_hide_the_true_one() -> None:
    bank, frames = ChannelBank(), frames_of()
    offered(bank, [Frame(ID, 1, True, b"short")], [Frame(ID, 0, False, b"x")])
    assert ENCODED in offered(bank, *([f] for f in frames))


def test_the_oldest_channel_goes_when_there_are_too_many() -> None:
    bank = ChannelBank()
    for n in range(limits.MAX_CHANNELS + 5):
        offered(bank, [Frame(n.to_bytes(16, "big"), 0, False, b"x")])
    assert (len(bank), bank.evicted, bank.size_bytes) == (limits.MAX_CHANNELS, 5, limits.MAX_CHANNELS)


def test_memory_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CHANNEL_BYTES", 1000)
    bank = ChannelBank()
    for n in range(50):
        offered(bank, [Frame(n.to_bytes(16, "big"), 0, False, bytes(300))])
        assert bank.size_bytes <= 1000


def test_one_number_keeps_a_bounded_number_of_alternatives() -> None:
    bank = ChannelBank()
    for n in range(100):
        offered(bank, [Frame(ID, 0, False, n.to_bytes(10, "big"))])
    assert bank.size_bytes == 10 * limits.MAX_ALTERNATIVES
