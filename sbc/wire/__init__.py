"""F2: what both legs of a dialog share on the wire: the relaying link, and the heads of HTTP messages."""
