"""What is remembered of headers and proofs of Fabric channels: answers, not what they came from."""

import gc
import sys
from dataclasses import replace

import pytest
from fakes.fabric_client import KEY, VALUE, ClientWorld

from tieline.light_clients.fabric.remembering import FindOnce, VerifyOnce
from tieline.light_clients.fabric.states import KnownConfig, KnownDefinition
from tieline.light_clients.fabric.verifier import (
    EvidenceRefused,
    find_written,
    verify_header,
)
from tieline.protocol.height import Height
from tieline.wire.fabric.rwsets import Version


class Proved:
    """One write and its proof, and one header, as a client would ask for them."""

    def __init__(self):
        world = ClientWorld()
        written = world.chain.write({KEY: VALUE})
        block = world.chain.commit(written)
        self.anchor = world.rules._anchor(world.store)
        tick = world.tick()
        self.header = world.chain.header(tick).encode()
        self.height = world.follow(tick)
        self.proof = world.prove(written, block, self.height)
        self.held = world.rules._held(world.store, Height(0, self.height))


@pytest.fixture(scope="module")
def proved():
    return Proved()


def test_an_answer_is_given_again_for_the_same_question_only(proved):
    asked = []

    def find(raw, key, held, anchor):
        asked.append(key)
        return b"%d" % len(asked)

    once = FindOnce(find, kept_max=99)
    known = proved.anchor.knowledge
    config, definition = known.configs[0], known.definitions[0]
    anchors = [
        proved.anchor,
        replace(proved.anchor, newest_s=proved.anchor.newest_s + 1),
        *(
            replace(proved.anchor, knowledge=replace(known, **changed))
            for changed in (
                {"channel": known.channel + known.chaincode, "chaincode": ""},
                {"chaincode": "other"},
                {"configs": (KnownConfig(config.number + 1, config.config),)},
                {"configs": (KnownConfig(config.number, config.config + b"\x00"),)},
                {"configs": (config, config)},
                {"definitions": (replace(definition, version=Version(9, 9)),)},
                {"definitions": (replace(definition, sequence=9),)},
                {"definitions": (replace(definition, endorsement_policy=b""),)},
                {"definitions": ()},
            )
        ),
    ]
    held = proved.held
    helds = [
        held,
        replace(held, number=held.number + 1),
        replace(held, block_hash=bytes(32)),
        replace(held, time_s=held.time_s + 1),
        replace(held, endorsed_from_s=0),
        replace(held, endorsed_from_s=held.time_s),
    ]
    questions = [
        *((b"proof", b"key", held, anchor) for anchor in anchors),
        *((b"proof", b"key", one, proved.anchor) for one in helds[1:]),
        (b"proofk", b"ey", held, proved.anchor),
        (b"", b"proofkey", held, proved.anchor),
    ]
    answers = [once(*question) for question in questions]
    assert len(set(answers)) == len(questions)
    assert [once(*question) for question in questions] == answers
    assert once.hits_count == len(questions) == len(asked)


def test_what_is_refused_is_judged_each_time_and_takes_no_place(proved):
    def refuse(raw, anchor):
        raise EvidenceRefused("no")

    once = VerifyOnce(refuse, kept_max=1)
    for _ in range(2):
        with pytest.raises(EvidenceRefused):
            once(b"raw", proved.anchor)
    assert once.hits_count == len(once) == 0


def test_no_more_answers_are_kept_than_agreed_and_the_oldest_goes_first(proved):
    once = FindOnce(lambda raw, key, held, anchor: raw, kept_max=2)
    for raw in (b"1", b"2", b"3"):
        once(raw, b"", proved.held, proved.anchor)
    assert len(once) == 2
    once(b"3", b"", proved.held, proved.anchor)
    once(b"2", b"", proved.held, proved.anchor)
    assert once.hits_count == 2
    once(b"1", b"", proved.held, proved.anchor)
    assert once.hits_count == 2


def test_of_a_long_proof_or_header_its_digest_is_kept_and_not_its_bytes(proved):
    find, verify = FindOnce(find_written, kept_max=9), VerifyOnce(verify_header, kept_max=9)
    raw, header = bytes(bytearray(proved.proof)), bytes(bytearray(proved.header))
    known = replace(proved.anchor.knowledge)
    anchor = replace(proved.anchor, knowledge=known)
    before = [sys.getrefcount(one) for one in (raw, header, known)]
    assert find(raw, KEY, proved.held, anchor) == VALUE
    assert verify(header, anchor) == verify(header, anchor) == verify_header(header, anchor)
    gc.collect()
    assert [sys.getrefcount(one) for one in (raw, header, known)] == before


def test_a_definition_that_a_header_brings_is_remembered_with_it(proved):
    more = KnownDefinition(Version(7, 0), 2, b"")
    known = replace(proved.anchor.knowledge, definitions=(more,))

    def verify(raw, anchor):
        return replace(verify_header(proved.header, proved.anchor), knowledge=known)

    once = VerifyOnce(verify, kept_max=9)
    assert [once(b"raw", proved.anchor).knowledge for _ in range(2)] == [known, known]
    assert once.hits_count == 1
