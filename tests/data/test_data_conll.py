import gzip

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError

TAGGED = Columns(("tokens", "tags"))
RIVER = "The O\nriver O\nRhine B-LOC\n\nUN B-ORG\nnow O\n"
ROWS = [(["The", "river", "Rhine"], ["O", "O", "B-LOC"]), (["UN", "now"], ["B-ORG", "O"])]


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def opened(path, columns=TAGGED, **options):
    return open_split(DataConfig(path=str(path), **options), "rows", columns)


def read(path, **options):
    return [(row["tokens"], row["tags"]) for row in opened(path, **options)]


def refusal(path, columns=TAGGED, **options):
    with pytest.raises(DataError) as caught:
        opened(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.iob"])
@pytest.mark.parametrize(
    "content",
    [
        RIVER,
        RIVER.replace(" ", "\t"),
        RIVER.replace(" ", "   "),
        RIVER.replace(" ", "\t_\tNN\t"),
        RIVER.replace(" ", " NN I-NP "),
        RIVER.replace("\n", "\r\n"),
        RIVER.replace("\n\n", "\n\t\n"),
        RIVER.replace("\n\n", "\n\n  \n\n"),
        "\ufeff\n" + RIVER.rstrip("\n"),
        "-DOCSTART- -X- -X- O\n\n" + RIVER.replace("\n\n", "\n\n-DOCSTART- O\n\n"),
        "#begin document (a); part 000\n" + RIVER + "#end document\n",
        "# id 5f\tdomain=en\n" + RIVER.replace("\n\n", "\n\n# text = UN now\n# newpar\n"),
    ],
)
def test_a_row_is_the_first_and_the_last_column_of_the_lines_up_to_a_blank_one(tmp_path, name, content):
    assert read(written(tmp_path / name, content)) == ROWS


def test_a_sentence_stands_where_its_first_line_stands(tmp_path):
    split = opened(written(tmp_path / "a.conll", "# a comment\n" + RIVER))
    assert [row["place"] for row in split] == ["a.conll:2", "a.conll:6"]


def test_splits_of_a_folder_may_be_compressed(tmp_path):
    written(tmp_path / "train.conll", RIVER)
    written(tmp_path / "test.conll.gz", gzip.compress(RIVER.encode()))
    assert read(tmp_path) == ROWS
    assert opened(tmp_path).name == f"{tmp_path.name}/test"


@pytest.mark.parametrize("content", ["# O\n1 O\n", "a O\n# O\n", "#\tSYM\n1\tNUM\n", "#sale O\nnow O\n"])
def test_a_number_sign_is_a_token_where_it_stands_like_one(tmp_path, content):
    first, second = (line.split() for line in content.splitlines())
    assert read(written(tmp_path / "a.conll", content)) == [([first[0], second[0]], [first[1], second[1]])]


def test_a_token_may_hold_spaces_where_tabs_part_the_columns(tmp_path):
    path = written(tmp_path / "a.conll", "1 000\tO\n\u3000\tO\n😀\u200d👩\tB-X\n")
    assert read(path) == [(["1 000", "\u3000", "😀\u200d👩"], ["O", "O", "B-X"])]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a O\n\nb O\nc\nd O\n", "a.conll:3: line 4 has the token 'c' but no tag"),
        ("a\tO\n\nb\tO\nc\t\nd\tO\n", "a.conll:3: line 4 has the token 'c' but no tag"),
        ("a\tO\n\n\tO\n", "a.conll:3: line 3 has the tag 'O' but no token"),
        (b"a O\n\nb O\ncaf\xe9 O\n", "a.conll:3: line 4 is not UTF-8: byte 0xe9 at position 4"),
    ],
)
def test_a_line_without_a_token_or_tag_makes_its_sentence_bad_and_no_other(tmp_path, content, problem):
    path = written(tmp_path / "a.conll", content)
    assert refusal(path) == f"{problem}\n1 of 2 rows are bad: on_bad_row=skip leaves them out"
    assert read(path, on_bad_row="skip") == [(["a"], ["O"])]


def test_a_file_without_tags_can_be_predicted_but_not_learned_from(tmp_path):
    path = written(tmp_path / "a.conll", "The\nRhine\n\nUN\n")
    assert [row["tokens"] for row in opened(path, Columns(("tokens",), ("tags",)))] == [["The", "Rhine"], ["UN"]]
    assert refusal(path) == "needs column 'tags'; a.conll has tokens: map it with data.columns.tags=<name>"


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "-DOCSTART- O\n"])
def test_a_file_without_sentences_holds_no_rows(tmp_path, content):
    assert refusal(written(tmp_path / "a.conll", content)) == "a.conll holds no rows"


@pytest.mark.parametrize(
    ("cells", "tags"),
    [
        ("* (ORG* * *) (PER)", "O B-ORG I-ORG I-ORG B-PER"),
        ("(ORG*) (PER*) * *", "B-ORG B-PER O O"),
        ("(NP(NP* *) (PP* *)) *", "B-NP I-NP I-NP I-NP O"),  # the outermost of nested ones
        ("- (12 - 12) (7)", "O B-12 I-12 I-12 B-7"),  # coreference
        ("(1|(2 2) 1) (3)|(4)", "B-1 I-1 I-1 B-3"),
    ],
)
def test_brackets_around_entities_become_tags(tmp_path, cells, tags):
    lines = [f"word{i} NN {cell}\n" for i, cell in enumerate(cells.split())]
    assert read(written(tmp_path / "a.conll", "".join(lines)))[0][1] == tags.split()


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("* (ORG* * *", "line 4 opens a bracket that its sentence never closes: (ORG*"),
        ("* (ORG* *) *)", "line 6 closes a bracket that was never opened: *)"),
        ("* *) (ORG* *", "line 4 closes a bracket that was never opened: *)"),
        ("(ORG(PER* *) * *", "line 3 opens a bracket that its sentence never closes: (ORG(PER*"),
        ("* B-ORG * *", "line 4 has the tag 'B-ORG' where others have brackets such as (ORG* and *)"),
        ("* (ORG*() * *", "line 4 has the tag '(ORG*()' where others have brackets such as (ORG* and *)"),
    ],
)
def test_brackets_that_do_not_close_make_their_sentence_bad(tmp_path, cells, problem):
    path = written(tmp_path / "a.conll", "UN (ORG)\n\n" + "".join(f"word {cell}\n" for cell in cells.split()))
    assert refusal(path) == f"a.conll:3: {problem}\n1 of 2 rows are bad: on_bad_row=skip leaves them out"
    assert read(path, on_bad_row="skip") == [(["UN"], ["B-ORG"])]


def test_a_tag_that_is_a_bracket_itself_is_a_tag(tmp_path):
    assert read(written(tmp_path / "a.conll", "( (\nthe DT\nend NN\n) )\n")) == [
        (["(", "the", "end", ")"], ["(", "DT", "NN", ")"])
    ]
