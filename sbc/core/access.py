"""Who may ask at all, by the rules of a policy: from where, with which methods, from which pages.

Judged as soon as the route is known, before anything else is read of a request, and before a node hears of it.
"""

from ipaddress import IPv6Address, ip_address

from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.policy import Access

MOST_KNOWN = 4096
"""Of more clients than these, all are forgotten."""


class Doorman:
    """Judges requests by one policy's rules."""

    __slots__ = ("_known", "_rules")

    def __init__(self, rules: Access) -> None:
        self._rules = rules
        self._known: dict[str, bool] = {}
        """Clients, and whether they may ask: a list of networks takes longer to look through than this."""

    def check(self, request: Request) -> None:
        """Raises Refusal if the request may not be made."""
        rules = self._rules
        if not self._may_ask(request.client):
            raise Refusal(403, "forbidden_address", "nothing is served to this address here")
        if rules.methods and request.method not in rules.methods:
            allowed = b", ".join(sorted(rules.methods)).decode()
            raise Refusal(405, "method_not_allowed", f"{allowed} may be asked here", headers=[("Allow", allowed)])
        if rules.origins and not self._own_page(request):
            raise Refusal(403, "foreign_origin", "pages of this origin may not ask here")

    def _may_ask(self, client: str) -> bool:
        known = self._known.get(client)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[client] = _within(client, self._rules)
        return known

    def _own_page(self, request: Request) -> bool:
        """RFC 6454 section 7: browsers say which page asks; who is no browser may say nothing."""
        return all(value.lower() in self._rules.origins for name, value in request.fields if name == b"origin")


def _within(client: str, rules: Access) -> bool:
    if not (rules.allow or rules.deny):
        return True
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:  # nobody knows from where: no rule can let it in
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in rules.deny):
        return False
    return not rules.allow or any(address in network for network in rules.allow)
