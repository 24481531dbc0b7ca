"""Code is told from text, and statements and arguments end where they end."""

from tests.mutation.source import Source, arguments, end_of

TEXT = """pragma solidity ^0.8.30;
import {A} from "./A.sol"; // 1 < 2
/* a
   b */ contract C {
    bytes constant X = hex"ff00"; string constant Y = "a // \\" b";
    function f() external { if (x < 1) revert No("1 < 2"); }
    function g() external { assembly ("memory-safe") { if y { z := 1 } } x = 2; }
}
"""


def test_comments_strings_and_imports_are_no_code() -> None:
    code = Source("C.sol", TEXT).code
    assert len(code) == len(TEXT)
    assert code.count("\n") == TEXT.count("\n")
    for text in ("pragma", "import", "1 < 2", "ff00", "//", "/*", '"'):
        assert text not in code
    for kept in ("contract C", "if (x < 1) revert No(", "z := 1"):
        assert kept in code


def test_assembly_ends_with_its_own_bracket() -> None:
    source = Source("C.sol", TEXT)
    assert source.is_assembly(TEXT.index("z := 1"))
    assert source.is_assembly(TEXT.index("if y"))
    assert not source.is_assembly(TEXT.index("x = 2"))
    assert not source.is_assembly(TEXT.index("if (x"))


def test_lines_are_counted_from_one() -> None:
    assert Source("C.sol", TEXT).line_of(0) == 1
    assert Source("C.sol", TEXT).line_of(TEXT.index("contract C")) == 4


def test_the_end_of_a_bracket_is_its_own() -> None:
    assert end_of("f(a, (b), c) d)", 1) == 11
    assert end_of("{ { } ", 0) == 6


def test_arguments_keep_their_own_commas() -> None:
    code = "f( a, g(b, c), d[e] )"
    assert [code[start:end] for start, end in arguments(code, 1)] == ["a", "g(b, c)", "d[e]"]
