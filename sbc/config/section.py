"""What every part of the configuration's schema is made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping of known keys. Strict: a text that looks like a number is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True,
                              use_attribute_docstrings=True)


def default(text: str) -> Any:
    """A default in the words of the file, read like what is written there."""
    return Field(default=text)
