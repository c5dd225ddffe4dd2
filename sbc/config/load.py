"""File -> text -> tree -> document -> Config, and every fault of the way in one ConfigError."""

from pydantic import ValidationError

from sbc.config.build import build
from sbc.config.check import cross
from sbc.config.explain import explain
from sbc.config.faults import Wrong, fault, lines
from sbc.config.files import content
from sbc.config.model import Config
from sbc.config.schema import Document
from sbc.config.tree import START, Unreadable, read
from sbc.model.errors import ConfigError


def load(path: str) -> Config:
    """The configuration in a file. Raises ConfigError with every fault in it."""
    return parse(text_of(path), path)


def text_of(path: str) -> str:
    """What stands in a configuration file. Raises ConfigError if it cannot be read."""
    try:
        # A byte order mark is allowed (YAML 1.2 section 5.2).
        return content(path).decode("utf-8-sig")
    except Wrong as wrong:
        raise ConfigError(lines([fault(START, (), wrong.what, wrong.right)], path)) from None
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not UTF-8"
        raise ConfigError(lines([fault(START, (), what, "plain text in UTF-8")], path)) from None


def parse(text: str, name: str) -> Config:
    """The configuration in a text; `name` is what its faults are told under. Raises ConfigError with every fault."""
    try:
        tree = read(text)
    except Unreadable as unreadable:
        raise ConfigError(lines(unreadable.faults, name)) from None
    faults = [*tree.faults, *cross(tree)]
    try:
        document = Document.model_validate(tree.value)
    except ValidationError as error:
        raise ConfigError(lines([*faults, *explain(error, tree)], name)) from None
    if faults:
        raise ConfigError(lines(faults, name))
    return build(document, name)
