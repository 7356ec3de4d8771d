"""Every run that began leaves a page, however it ended."""


def test_a_failed_run_leaves_a_page_that_says_why(cli, tiny):
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny / "model.safetensors")
    weights["transformer.ln_f.weight"][:] = float("nan")
    save_file(weights, tiny / "model.safetensors", metadata={"format": "pt"})
    ended = cli(f"checkpoint.name_or_path={tiny}", "engine.threads=1", "data.prompts=[春]")
    assert ended.code == 1
    page = (cli.runs[0] / "report.html").read_text()
    assert "failed" in page and "non-finite logits" in page


def test_a_finished_run_leaves_a_page_with_its_answers(cli, tiny):
    ended = cli(f"checkpoint.name_or_path={tiny}", "engine.threads=1", "data.prompts=[春风花月夜，]", "seed=4",
                "decode.do_sample=true")  # fmt: skip
    assert ended.code == 0, ended.err
    page = (cli.runs[0] / "report.html").read_text()
    assert "春风花月夜" in page and "seed 4" in page
