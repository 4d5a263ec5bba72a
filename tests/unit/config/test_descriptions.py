"""What an option is for, from the string below it."""

from __future__ import annotations

from config import models
from config.descriptions import description_of
from config.models import Listener
from config.models.model import Model


class Parent(Model):
    """Fields that a child inherits."""

    inherited: int = 1
    """From
    above.
    """


class Child(Parent):
    """Fields with and without words."""

    own: int = 1
    """Its own."""
    silent: int = 2
    method_comes_next: int = 3

    def method(self) -> None:
        """No field."""


def test_it_is_the_string_below_the_field_without_its_indentation() -> None:
    assert description_of(Listener, "bind") == "Address and port to listen on."
    assert description_of(Child, "own") == "Its own."
    assert description_of(Child, "inherited") == "From\nabove."


def test_without_a_string_there_is_none() -> None:
    assert [description_of(Child, name) for name in ("silent", "method_comes_next", "no_such_field")] == [None] * 3


def test_without_a_source_there_is_none() -> None:
    made = type("Made", (Model,), {"__module__": "sys", "__annotations__": {"field": int}})
    assert description_of(made, "field") is None


def test_every_model_can_be_asked() -> None:
    every = [one for one in vars(models).values() if isinstance(one, type) and issubclass(one, Model)]
    assert len(every) > 90
    described = [description_of(one, name) for one in every for name in one.model_fields]
    assert sum(text is not None for text in described) > len(described) / 2
