"""Each operator makes the errors that it is for, and no others."""

from tests.mutation.operators import OPERATORS, Mutant, mutants
from tests.mutation.source import Source
from tests.mutation.workshop import SOURCES


def changed(kind: str, text: str) -> set[str]:
    """The texts that an operator makes of a text."""
    source = Source("C.sol", text)
    return {text[:start] + new + text[end:] for start, end, new in OPERATORS[kind](source)}


def test_comparisons_move_by_one_or_turn_round() -> None:
    assert changed("comparison", "a < b") == {"a <= b"}
    assert changed("comparison", "a >= b") == {"a > b"}
    assert changed("comparison", "a != b && c == d") == {"a == b && c == d", "a != b && c != d"}
    assert changed("comparison", "mapping(a => b) x << 2") == set()


def test_logic() -> None:
    assert changed("logic", "a && b || c") == {"a || b || c", "a && b && c"}


def test_arithmetic() -> None:
    assert changed("arithmetic", "a + b") == {"a - b"}
    assert changed("arithmetic", "++a; b |= c << 1;") == {
        "--a; b |= c << 1;",
        "++a; b &= c << 1;",
        "++a; b |= c >> 1;",
    }
    assert changed("arithmetic", 'assembly { x := add(a, b) } // a + b\n s = "+";') == set()


def test_complements() -> None:
    assert changed("complement", "if (!done) x = a & ~b;") == {
        "if (done) x = a & ~b;",
        "if (!done) x = a & b;",
    }
    assert changed("complement", "a != b") == set()


def test_conditions() -> None:
    assert changed("condition", "if (f(a) && b) revert X();") == {"if (!(f(a) && b)) revert X();"}


def test_constants_by_one() -> None:
    assert changed("constant", "x = 1_000;") == {"x = 1001;", "x = 999;"}
    assert changed("constant", "x = 0;") == {"x = 1;"}
    assert changed("constant", "mload(0x40)") == {"mload(0x41)", "mload(0x3f)"}
    assert changed("constant", 'uint256 a32; hex"01"; b.c1') == set()


def test_statements_are_left_out() -> None:
    assert changed("statement", "{ x = 1; }") == {"{ {} }"}
    assert changed("statement", "{ x[i].y |= 1; ++n; n--; delete z; f(a, g(b)); }") == {
        "{ {} ++n; n--; delete z; f(a, g(b)); }",
        "{ x[i].y |= 1; {} n--; delete z; f(a, g(b)); }",
        "{ x[i].y |= 1; ++n; {} delete z; f(a, g(b)); }",
        "{ x[i].y |= 1; ++n; n--; {} f(a, g(b)); }",
        "{ x[i].y |= 1; ++n; n--; delete z; {} }",
    }
    assert changed("statement", "{ if (a) revert X(b); emit Y(c); }") == {
        "{ if (a) {} emit Y(c); }",
        "{ if (a) revert X(b); {} }",
    }


def test_declarations_and_returns_stay() -> None:
    assert changed("statement", "{ uint256 x = 1; Seat memory s = t[u]; return x; }") == set()
    assert changed("statement", "{ event A(uint256 b); using C for D; }") == set()


def test_statements_of_assembly() -> None:
    text = "assembly {\n    mstore(a, b)\n    x := add(a, 1)\n    let y := 2\n}"
    assert changed("statement", text) == {
        "assembly {\n    \n    x := add(a, 1)\n    let y := 2\n}",
        "assembly {\n    mstore(a, b)\n    \n    let y := 2\n}",
    }


def test_modifiers() -> None:
    assert changed("modifier", "function f() external onlyRole(X) {}") == {
        "function f() external  {}"
    }


def test_neighbouring_arguments_change_places() -> None:
    assert changed("arguments", "emit X(a, f(b, c), a);") == {
        "emit X(f(b, c), a, a);",
        "emit X(a, f(c, b), a);",
        "emit X(a, a, f(b, c));",
    }
    assert changed("arguments", "function f(a b, c d) returns (e, g) {}") == set()
    assert changed("arguments", "f(a, a); and(a, b); error X(a b, c d);") == set()


def test_instructions_of_assembly_only() -> None:
    text = "lt(a, b); assembly { x := lt(a, shl(1, b)) }"
    assert changed("instruction", text) == {
        "lt(a, b); assembly { x := gt(a, shl(1, b)) }",
        "lt(a, b); assembly { x := lt(a, shr(1, b)) }",
    }


def test_a_mutant_names_its_line_and_both_texts() -> None:
    text = "contract C {\n    function f() external {\n        x   =  a < b;\n    }\n}\n"
    (mutant,) = [m for m in mutants(Source("C.sol", text)) if m.kind == "comparison"]
    assert (mutant.file, mutant.line) == ("C.sol", 3)
    assert (mutant.original, mutant.changed) == ("x = a < b;", "x = a <= b;")
    assert mutant.apply(text) == text.replace("<", "<=")


def test_one_text_is_one_mutant() -> None:
    # Swapping the arguments and turning the comparison make the same text.
    every = mutants(Source("C.sol", "{ f(1, 2); }"))
    texts = [mutant.apply("{ f(1, 2); }") for mutant in every]
    assert len(texts) == len(set(texts))


def test_the_contracts_have_mutants_of_every_kind() -> None:
    every: list[Mutant] = []
    for path in SOURCES.glob("*.sol"):
        text = path.read_text("utf-8")
        for mutant in mutants(Source(path.name, text)):
            assert mutant.apply(text) != text
            every.append(mutant)
    assert {mutant.kind for mutant in every} == set(OPERATORS)
