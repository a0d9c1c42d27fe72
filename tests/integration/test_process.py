"""`imgpool process` as a subprocess: outputs, messages and exit codes."""

import json
import shlex

import numpy as np
import pytest
import tifffile

from imgpool import read, write
from imgpool.core.image import Image

SUMMARY_KEYS = {
    *("found", "done", "skipped", "failed", "left", "seconds", "images_per_second", "interrupted"),
    *("engine", "workers", "chunksize", "recipe", "fingerprint", "output", "provenance"),
    *("model_loads", "models", "failures", "warnings"),
}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png", "trip/c.png"):
        write(Image.from_array(rng.integers(0, 256, (40, 50), dtype=np.uint8)), folder / name)
    return folder


def test_samples_are_processed_and_then_skipped(imgpool, sample_images, tmp_path):
    first = imgpool("process", sample_images, "-o", tmp_path / "out", "--json")
    assert first.code == 0, first.stderr
    assert set(first.json) == SUMMARY_KEYS
    assert first.json["failed"] == 0
    assert first.json["done"] == first.json["found"] > 8
    outputs = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and ".imgpool" not in path.parts]
    assert len(outputs) == first.json["done"]

    again = imgpool("process", sample_images, "-o", tmp_path / "out", "--json")
    assert again.code == 0
    assert (again.json["done"], again.json["skipped"]) == (0, first.json["done"])


def test_default_output_mirrors_the_input_beside_it(imgpool, photos):
    assert imgpool("process", photos, "--serial").code == 0
    out = photos.with_name("photos-processed")
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.png")} == {"a.png", "b.png", "trip/c.png"}


def test_current_folder_is_an_input(imgpool, photos):
    done = imgpool("process", ".", "--serial", "--json", cwd=photos)
    assert done.json["output"] == str(photos.with_name("photos-processed"))


def test_single_file_is_an_input(imgpool, photos, tmp_path):
    done = imgpool("process", photos / "a.png", "-f", "invert", "-o", tmp_path / "out", "--serial", "--json")
    assert done.json["done"] == 1
    np.testing.assert_array_equal(read(tmp_path / "out" / "a.png").pixels, 255 - read(photos / "a.png").pixels)


def test_several_inputs_keep_their_names(imgpool, photos, tmp_path):
    done = imgpool("process", photos, photos / "trip", "-o", tmp_path / "out", "--serial", "--json")
    assert done.code == 0
    assert (tmp_path / "out" / "photos" / "a.png").is_file()


@pytest.mark.parametrize(
    ("change", "reason"),
    [("content", "the source file changed"), ("recipe", "the recipe changed"), ("output", "the output is missing")],
)
def test_changes_are_reprocessed_with_the_reason(imgpool, photos, tmp_path, change, reason):
    command = ["process", photos, "-o", tmp_path / "out", "--serial", "--json"]
    imgpool(*command, "-f", "gaussian:sigma=1")
    sigma = 1
    if change == "content":
        write(Image.from_array(np.zeros((40, 50), np.uint8)), photos / "b.png")
    elif change == "output":
        (tmp_path / "out" / "b.png").unlink()
    else:
        sigma = 2
    again = imgpool(*command, "-f", f"gaussian:sigma={sigma}")
    expected = 3 if change == "recipe" else 1
    assert (again.json["done"], again.json["skipped"]) == (expected, 3 - expected)
    assert reason in again.stderr


def test_touched_file_with_the_same_bytes_is_skipped(imgpool, photos, tmp_path):
    command = ["process", photos, "-o", tmp_path / "out", "--serial", "--json"]
    imgpool(*command)
    (photos / "a.png").touch()
    assert imgpool(*command).json["skipped"] == 3


def test_fresh_reprocesses_everything(imgpool, photos, tmp_path):
    command = ["process", photos, "-o", tmp_path / "out", "--serial", "--json"]
    imgpool(*command)
    assert imgpool(*command, "--fresh").json["done"] == 3


def test_dry_run_prints_the_plan_and_writes_nothing(imgpool, photos, tmp_path):
    plan = imgpool("process", photos, "-o", tmp_path / "out", "--dry-run")
    assert plan.code == 0
    assert "trip/c.png" in plan.stdout
    assert "3 images to process" in plan.stdout
    assert not (tmp_path / "out").exists()
    as_json = imgpool("process", photos, "-o", tmp_path / "out", "-n", "--json").json
    assert [task["reason"] for task in as_json["tasks"]] == ["new"] * 3
    assert as_json["estimate"] == {
        "images": 3,
        "bytes": sum(p.stat().st_size for p in photos.rglob("*.png")),
        "megapixels": 0.006,
    }


def test_quiet_prints_nothing_without_failures(imgpool, photos, tmp_path):
    assert imgpool("process", photos, "-o", tmp_path / "out", "--serial", "-q").stderr == ""


def test_verbose_prints_every_image(imgpool, photos, tmp_path):
    done = imgpool("process", photos, "-o", tmp_path / "out", "--serial", "-v")
    assert all(name in done.stderr for name in ("a.png", "b.png", "trip/c.png"))


def test_convert_changes_only_the_format(imgpool, photos, tmp_path):
    done = imgpool("process", photos, "-o", tmp_path / "out", "-r", "convert", "--to", "tiff", "--serial")
    assert done.code == 0, done.stderr
    np.testing.assert_array_equal(read(tmp_path / "out" / "a.tif").pixels, read(photos / "a.png").pixels)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-f", "gausian"], ["gausian", "did you mean gaussian?"]),
        (["-f", "gaussian:sigmaa=2"], ["sigmaa", "did you mean sigma?"]),
        (["-f", "gaussian:sigma=-2"], ["sigma", "greater than 0"]),
        (["-f", "gaussian:sigma=2kg"], ["2kg", "a length"]),
        (["-f", "gaussian:truncate=3um"], ["truncate"]),
        (["-f", "gaussian:sigma"], ["sigma", "gaussian:sigma=VALUE"]),
        (["-r", "enhanse"], ["enhanse", "did you mean enhance?"]),
        (["-r", "no/such.yaml"], ["no/such.yaml", "cannot be read"]),
        (["-r", "enhance", "-f", "invert"], ["-r", "-f"]),
        (["--to", "jpg2"], ["jpg2", "did you mean"]),
        (["--to", "jpeg:quality=200"], ["quality"]),
        (["--engine", "pol"], ["pol", "did you mean pool?"]),
        (["--serial", "--engine", "pool"], ["--serial"]),
        (["-j", "0"], ["--workers", "0"]),
        (["--chunksize", "many"], ["--chunksize", "many"]),
        (["--max-memory", "lots"], ["--max-memory", "lots"]),
        (["--pixel-size", "2px"], ["2px", "0.325um"]),
    ],
)
def test_bad_usage_is_explained_and_starts_nothing(imgpool, photos, tmp_path, arguments, words):
    done = imgpool("process", photos, "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["photos", "photos/out", "photos/trip/deep/out"])
def test_output_inside_the_input_is_refused(imgpool, photos, tmp_path, output):
    done = imgpool("process", photos, "-o", tmp_path / output)
    assert done.code == 2
    assert "inside" in done.stderr


def test_input_is_never_overwritten(imgpool, photos, tmp_path):
    (tmp_path / "trip").mkdir()
    before = (photos / "trip" / "c.png").read_bytes()
    done = imgpool("process", photos / "trip", "-o", photos, "-f", "invert")
    assert (photos / "trip" / "c.png").read_bytes() == before
    assert done.code in {0, 2}
    done = imgpool("process", photos / "a.png", "-o", photos, "-f", "invert")
    assert done.code == 2
    assert "a.png" in done.stderr


def test_output_below_a_file_is_refused(imgpool, photos, tmp_path):
    (tmp_path / "file").touch()
    done = imgpool("process", photos, "-o", tmp_path / "file" / "out")
    assert (done.code, f"the output {tmp_path / 'file'} is a file" in done.stderr) == (2, True)


def test_recipe_and_filter_are_answered_with_all_filters(imgpool, photos, tmp_path):
    refused = imgpool("process", photos, "-o", tmp_path / "out", "-r", "enhance", "-f", "to_uint8")
    assert refused.code == 2
    hint = shlex.split(refused.stderr.partition("give the filters alone: ")[2])
    assert hint[-2:] == ["-f", "to_uint8"]
    assert imgpool("process", photos, "-o", tmp_path / "out", "--serial", *hint).code == 0


def test_unsupported_images_are_counted_by_extension(imgpool, photos, tmp_path):
    for name in ("IMG_1.HEIC", "IMG_2.heic", "plate.czi", "notes.txt"):
        (photos / name).touch()
    stderr = imgpool("process", photos, "-o", tmp_path / "out", "--serial").stderr

    assert "1 file ignored: not an image" in stderr
    assert "3 images ignored: imgpool cannot read .czi, .heic" in stderr


def test_input_without_images_is_refused(imgpool, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    done = imgpool("process", tmp_path / "empty")
    assert done.code == 2
    assert "no image found" in done.stderr


def test_missing_input_is_refused(imgpool, tmp_path):
    done = imgpool("process", tmp_path / "nowhere")
    assert done.code == 2
    assert "nowhere" in done.stderr


def test_two_sources_of_one_target_are_refused(imgpool, photos, tmp_path):
    write(read(photos / "a.png"), photos / "a.bmp")
    done = imgpool("process", photos, "-o", tmp_path / "out", "--to", "tiff")
    assert done.code == 2
    assert "a.bmp" in done.stderr
    assert "a.png" in done.stderr


def test_all_collisions_are_counted(imgpool, photos, tmp_path):
    for name in "bcd":
        for extension in (".png", ".bmp"):
            write(Image.from_array(np.zeros((5, 5), np.uint8)), photos / f"{name}{extension}")
    done = imgpool("process", photos, "-o", tmp_path / "out", "--to", "tiff")
    assert (done.code, "out/b.tif, and 2 more like it" in done.stderr) == (2, True)


def test_names_that_differ_only_in_case_are_kept_apart(imgpool, photos, tmp_path):
    """Where the file system does so; where it ignores case, they are one image already."""
    if (photos / "A.PNG").exists():
        pytest.skip("this file system ignores case")
    write(read(photos / "a.png"), photos / "A.png")
    done = imgpool("process", photos, "-o", tmp_path / "out")
    assert done.code == 0
    assert {"a.png", "A.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_unsupported_output_format_is_refused_before_the_start(imgpool, photos, tmp_path):
    write(Image.from_array(np.full((9, 9), 40000, np.uint16)), photos / "deep.png")
    done = imgpool("process", photos, "-o", tmp_path / "out", "-r", "convert", "--to", "jpeg")
    assert done.code == 2
    assert "deep.png" in done.stderr
    assert "rescale_intensity:out=uint8" in done.stderr
    assert not (tmp_path / "out").exists()
    remedied = ["-f", "rescale_intensity:out=uint8", "--to", "jpeg"]
    assert imgpool("process", photos, "-o", tmp_path / "out", *remedied).code == 0


def test_foreign_file_is_replaced_only_on_request(imgpool, photos, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "a.png").write_bytes(b"precious")
    command = ["process", photos, "-o", output, "--json"]
    for choice, code, done, skipped, failed in (("fail", 1, 2, 0, 1), ("skip", 0, 0, 3, 0)):
        outcome = imgpool(*command, "--if-exists", choice)
        found = outcome.json
        assert (outcome.code, found["done"], found["skipped"], found["failed"]) == (code, done, skipped, failed)
        assert (output / "a.png").read_bytes() == b"precious"
    assert imgpool(*command, "--if-exists", "replace").json["done"] == 1
    (kept,) = (output / ".imgpool" / "replaced").glob("*/a.png")
    assert kept.read_bytes() == b"precious"
    assert imgpool(*command, "--if-exists", "never").code == 2


def test_physical_lengths_need_a_pixel_size(imgpool, photos, tmp_path):
    spec = ["-f", "gaussian:sigma=0.65um", "--serial", "--json"]
    failed = imgpool("process", photos, "-o", tmp_path / "out", *spec)
    assert failed.code == 1
    assert failed.json["failed"] == 3
    assert "--pixel-size" in failed.json["failures"][0]["message"]
    assert imgpool("process", photos, "-o", tmp_path / "out", *spec, "--pixel-size", "0.325um").code == 0
    imgpool("process", photos, "-o", tmp_path / "pixels", "-f", "gaussian:sigma=2", "--serial")
    physical, pixels = (read(tmp_path / name / "a.png").pixels for name in ("out", "pixels"))
    np.testing.assert_array_equal(physical, pixels)


def test_rotation_of_pixels_that_are_not_square_is_explained(imgpool, tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((20, 30), np.uint16), metadata=metadata)
    done = imgpool("process", tmp_path / "a.ome.tif", "-o", tmp_path / "out", "-f", "rotate:angle=30", "--serial")
    assert "rotate needs square pixels, and these are 0.25 µm high and 0.5 µm wide" in done.stderr


def test_recipe_file_is_applied(imgpool, photos, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\nsteps:\n  - gaussian: {sigma: 2}\n  - invert\noutput: {format: tiff}\n")
    done = imgpool("process", photos, "-o", tmp_path / "out", "-r", recipe, "--serial", "--json")
    assert done.code == 0, done.stderr
    assert done.json["recipe"] == "mine"
    assert (tmp_path / "out" / "trip" / "c.tif").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: [gausian]", ["did you mean gaussian?"]),
        ("steps:\n  - gaussian: {sigma: 1, sigma: 2}", ["line 2", "twice"]),
        ("steps: [", ["line"]),
        ("stepz: []", ["stepz", "did you mean steps?"]),
        ("!!python/object/apply:os.system ['true']", ["YAML"]),
        ("- gaussian", ["steps:"]),
    ],
)
def test_error_in_a_recipe_file_is_located(imgpool, photos, tmp_path, text, words):
    recipe = tmp_path / "bad.yaml"
    recipe.write_text(text)
    done = imgpool("process", photos, "-r", recipe, "-o", tmp_path / "out")
    assert done.code == 2
    assert "bad.yaml" in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_journal_of_a_newer_version_is_refused(imgpool, photos, tmp_path):
    command = ["process", photos, "-o", tmp_path / "out", "--serial"]
    imgpool(*command)
    journal = tmp_path / "out" / ".imgpool" / "journal.jsonl"
    journal.write_text(json.dumps({"v": 99}) + "\n")
    done = imgpool(*command)
    assert done.code == 2
    assert "newer" in done.stderr


def test_failure_mentions_the_output_of_an_earlier_run(imgpool, photos, tmp_path):
    command = ["process", photos, "-o", tmp_path / "out", "--serial"]
    imgpool(*command)
    (photos / "a.png").write_bytes(b"")
    done = imgpool(*command)
    assert done.code == 1
    assert "its output is still that of an earlier run" in done.stderr
    assert read(tmp_path / "out" / "a.png").pixels.any()
