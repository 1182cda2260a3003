"""What msgspec leaves out of the dataclasses that it makes."""

from __future__ import annotations

from dataclasses import dataclass

from heaven_core.schema.msgspec_codec import fill_defaults


@dataclass
class Point:
    x: int
    y: int = 7


@dataclass(slots=True)
class Slim:
    x: int


def bare(x: int) -> Point:
    """As msgspec makes it: what was not given is not in the instance."""
    point = Point.__new__(Point)
    point.x = x
    return point


def test_a_default_of_the_class_becomes_one_of_the_instance() -> None:
    point = bare(1)
    assert vars(point) == {"x": 1}
    fill_defaults(point)
    assert vars(point) == {"x": 1, "y": 7}


def test_dataclasses_are_found_in_containers() -> None:
    points = [bare(number) for number in range(4)]
    fill_defaults({"a": [points[0], (points[1],)], "b": points[2], "c": {"d": points[3]}, "e": 1})
    assert [vars(point) for point in points] == [{"x": number, "y": 7} for number in range(4)]


def test_a_field_without_default_stays_unset() -> None:
    slim = Slim.__new__(Slim)
    fill_defaults([slim, Point(1)])
    assert not hasattr(slim, "x")
