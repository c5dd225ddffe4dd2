"""After a restart of the edge: requests that were not kept are numbered on from what their answers say."""

from sbc.core.dialog import Dialog
from sbc.core.journal import Journal
from sbc.core.relay import Relay, Tally
from sbc.core.resumption import resumption
from sbc.core.roster import Roster
from sbc.model.ids import AgentName, PoolName, SessionId
from sbc.model.manifest import Manifest
from sbc.runtime.http.flow import event_entry
from sbc.runtime.http.waking import number_on


def test_what_answers_say_of_their_requests() -> None:
    inbound, outbound = (
        Relay(Journal(4096), Tally(), masked=masked, limit=1024) for masked in (True, False)
    )  # fmt: skip
    dialog = Dialog(SessionId("s"), Manifest(AgentName("a"), PoolName("p")), Roster(), inbound, outbound, 0.0)
    for number in (1, 2, 2):
        entry = event_entry(number, b"data: x\n\n")
        outbound.journal.append(entry, 0, len(entry))
        outbound.count += 1
    number_on(dialog, 0)
    assert inbound.count == 2 and inbound.journal.first == 3
    number_on(dialog, 5)
    assert inbound.count == 5, "an answer without a message yet is under way"
    assert resumption(dialog, None).lost == 0, "nothing of it is owed to anybody"
