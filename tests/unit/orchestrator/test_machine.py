"""The machine, walked by hand and at random."""

import subprocess
import sys
from pathlib import Path

import pytest

from contracts.envelope import new_id
from contracts.ingest import PlannedSource, SourceSynced, SourceSyncFailed, SyncSource
from contracts.orchestrator import (
    CancelRun,
    RetryRun,
    RunCancelled,
    RunCancelRequested,
    RunFailed,
    RunQueued,
    RunSucceeded,
)
from contracts.tables import TableVersion
from contracts.transform import (
    AbortPublish,
    BuildTransformation,
    PlannedTransformation,
    PublishAborted,
    PublishFailed,
    PublishRun,
    RunPublished,
    TransformationFailed,
)
from orchestrator.domain import RoomFreed, RunPlanned, RunPlanRefused, RunStalled
from orchestrator.machine import Ignored, IllegalMessage, Moved
from orchestrator.room import Slots

from .walking import CLEAN, DONATIONS, DONORS, ENOUGH, PROBLEM, REPEAT, SUMMARY, Walk, version


def to_publishing() -> Walk:
    walk = Walk().start().plan()
    for command in walk.commands(SyncSource):
        walk.synced(command)
    for _ in range(2):
        for command in walk.commands(BuildTransformation):
            walk.built(command)
    return walk


def test_a_step_tells_the_version_of_the_recipe_that_it_builds() -> None:
    walk = to_publishing()
    assert walk.state is not None
    told = {step.view.kind: step.view.recipe_version for step in walk.state.steps}
    assert told == {"sync": None, "transform": 1, "publish": None}


def test_no_transformation_is_built_before_every_source_has_reported() -> None:
    walk = Walk().start().plan()
    first, second = walk.commands(SyncSource)
    walk.synced(first)
    assert walk.status == "syncing"
    assert walk.commands(BuildTransformation) == []
    walk.synced(second)
    assert walk.status == "transforming"


def test_transformations_follow_what_they_read_and_not_their_place_in_the_list() -> None:
    walk = Walk().start().plan()
    for command in walk.commands(SyncSource):
        walk.synced(command)
    (clean,) = walk.commands(BuildTransformation)
    assert clean.transformation_id == CLEAN
    walk.built(clean)
    summary = walk.commands(BuildTransformation)[1]
    assert [table.table_id for table in summary.inputs] == [CLEAN, DONORS]


def test_a_run_publishes_all_its_tables_at_once_and_succeeds_on_transforms_word() -> None:
    walk = to_publishing()
    (publish,) = walk.commands(PublishRun)
    assert {table.table_id for table in publish.tables} == {DONATIONS, DONORS, CLEAN, SUMMARY}
    assert walk.status == "publishing"
    walk.tell(RunPublished(run_id=walk.run_id, table_ids=()))
    assert walk.status == "succeeded"
    assert isinstance(walk.said[-1], RunSucceeded)


def with_a_repeat(published: tuple[TableVersion, ...] = ()) -> tuple[Walk, SyncSource]:
    """A run of a source with two tables and of a recipe that reads the second."""
    walk = Walk().start()
    walk.tell(
        RunPlanned(
            sources=(
                PlannedSource(
                    source_id=DONATIONS, name="form", table_id=DONATIONS, other_table_ids=(REPEAT,)
                ),
            ),
            transformations=(
                PlannedTransformation(
                    transformation_id=CLEAN,
                    name="clean",
                    recipe_version=1,
                    table_id=CLEAN,
                    reads=(REPEAT,),
                ),
            ),
            published=published,
            table_names={},
            timezone="UTC",
        )
    )
    (sync,) = walk.commands(SyncSource)
    assert walk.commands(BuildTransformation) == []
    return walk, sync


@pytest.mark.parametrize("unchanged", [False, True])
def test_a_recipe_that_reads_another_table_of_a_source_waits_for_it(unchanged: bool) -> None:
    published = version(DONATIONS), version(REPEAT)
    walk, sync = with_a_repeat(published)
    assert (sync.published, sync.other_published) == (published[0], (published[1],))
    tables = published if unchanged else (version(DONATIONS), version(REPEAT))
    walk.tell(
        SourceSynced(
            run_id=walk.run_id,
            step_id=sync.step_id,
            lease=1,
            tables=tables,
            unchanged=unchanged,
        )
    )
    (build,) = walk.commands(BuildTransformation)
    assert build.inputs == (tables[1],)
    walk.built(build)
    (publish,) = walk.commands(PublishRun)
    assert {one.table_id for one in publish.tables} == (
        {CLEAN} if unchanged else {DONATIONS, REPEAT, CLEAN}
    )


def test_a_table_that_its_source_fills_no_more_is_read_as_it_was() -> None:
    published = version(DONATIONS), version(REPEAT)
    walk, sync = with_a_repeat(published)
    walk.synced(sync)
    (build,) = walk.commands(BuildTransformation)
    assert build.inputs == (published[1],)


def test_a_table_that_was_never_filled_fails_the_run_that_reads_it() -> None:
    walk, sync = with_a_repeat()
    walk.synced(sync)
    (end,) = walk.commands(RunFailed)
    assert end.run.error is not None
    assert end.run.error.code == "never_filled"
    assert "'clean'" in end.run.error.detail


def test_a_failed_source_fails_the_run_after_the_others_have_reported() -> None:
    walk = Walk().start().plan()
    first, second = walk.commands(SyncSource)
    failed = SourceSyncFailed(run_id=walk.run_id, step_id=first.step_id, lease=1, problem=PROBLEM)
    walk.tell(failed)
    assert walk.status == "syncing"
    walk.synced(second)
    assert walk.status == "failed"
    assert walk.commands(BuildTransformation) == []
    assert walk.commands(PublishRun) == []
    (end,) = walk.commands(RunFailed)
    assert end.run.error == PROBLEM


def test_a_failed_transformation_fails_the_run_and_ends_every_step() -> None:
    walk = Walk().start().plan()
    for command in walk.commands(SyncSource):
        walk.synced(command)
    (clean,) = walk.commands(BuildTransformation)
    walk.tell(
        TransformationFailed(run_id=walk.run_id, step_id=clean.step_id, lease=1, problem=PROBLEM)
    )
    assert walk.status == "failed"
    assert walk.state is not None
    assert not any(step.is_open for step in walk.state.steps)


def test_a_plan_that_is_refused_fails_the_run_with_the_owners_words() -> None:
    walk = Walk().start()
    walk.tell(RunPlanRefused(PROBLEM))
    assert walk.status == "failed"


def test_a_run_in_which_nothing_changed_publishes_nothing() -> None:
    walk = Walk().start().plan((version(CLEAN), version(SUMMARY)))
    for command in walk.commands(SyncSource):
        walk.synced(command, unchanged=True)
    for _ in range(2):
        for command in walk.commands(BuildTransformation):
            walk.built(command, unchanged=True)
    assert walk.status == "succeeded"
    assert walk.commands(PublishRun) == []


def test_a_cancel_before_publishing_ends_the_run_and_calls_off_its_work() -> None:
    walk = Walk().start().plan()
    walk.tell(CancelRun(run_id=walk.run_id))
    assert walk.status == "cancelled"
    assert len(walk.commands(RunCancelRequested)) == 1
    assert isinstance(walk.said[-1], RunCancelled)


def test_a_cancel_while_publishing_asks_transform_and_waits_for_its_word() -> None:
    walk = to_publishing()
    walk.tell(CancelRun(run_id=walk.run_id))
    assert walk.status == "publishing"
    assert len(walk.commands(AbortPublish)) == 1
    walk.tell(PublishAborted(run_id=walk.run_id))
    assert walk.status == "cancelled"


def test_a_publish_that_was_faster_than_the_cancel_wins() -> None:
    walk = to_publishing()
    walk.tell(CancelRun(run_id=walk.run_id))
    walk.tell(RunPublished(run_id=walk.run_id, table_ids=()))
    assert walk.status == "succeeded"


def test_a_publish_that_fails_fails_the_run() -> None:
    walk = to_publishing()
    walk.tell(PublishFailed(run_id=walk.run_id, problem=PROBLEM))
    assert walk.status == "failed"


def test_late_and_repeated_news_is_ignored_with_a_reason() -> None:
    walk = Walk().start().plan()
    first, _ = walk.commands(SyncSource)
    walk.synced(first)
    again = walk.synced(first)
    assert isinstance(again, Ignored)
    assert again.reason == "the step has succeeded"
    walk.tell(CancelRun(run_id=walk.run_id))
    assert isinstance(walk.synced(first), Ignored)


def test_news_of_a_step_that_was_never_asked_for_is_a_loud_defect() -> None:
    walk = Walk().start().plan()
    stranger = SourceSynced(
        run_id=walk.run_id, step_id=new_id(), lease=1, tables=(), unchanged=False
    )
    with pytest.raises(IllegalMessage, match="has no step"):
        walk.tell(stranger)
    with pytest.raises(IllegalMessage, match="while run"):
        walk.tell(RunPublished(run_id=walk.run_id, table_ids=()))


def test_a_sync_that_is_too_late_fails_the_run_in_words_and_is_called_off() -> None:
    walk = Walk().start().plan()
    first, second = walk.commands(SyncSource)
    walk.time_out(first.step_id)
    (end,) = walk.commands(RunFailed)
    assert end.run.error is not None
    assert end.run.error.code == "timed_out"
    assert "2026-01-01 00:00 UTC" in end.run.error.detail
    assert [step.status for step in end.run.steps] == ["failed", *["cancelled"] * 4]
    assert len(walk.commands(RunCancelRequested)) == 1
    assert isinstance(walk.synced(second), Ignored)


def test_the_only_worker_is_called_off_when_it_is_too_late() -> None:
    walk = Walk().start().plan()
    for command in walk.commands(SyncSource):
        walk.synced(command)
    (clean,) = walk.commands(BuildTransformation)
    walk.time_out(clean.step_id)
    assert walk.status == "failed"
    assert len(walk.commands(RunCancelRequested)) == 1


def test_a_step_that_ended_in_time_is_not_too_late_any_more() -> None:
    walk = Walk().start().plan()
    first, _ = walk.commands(SyncSource)
    walk.synced(first)
    assert isinstance(walk.time_out(first.step_id), Ignored)


@pytest.mark.parametrize("word", [PublishAborted, RunPublished, PublishFailed])
def test_a_publish_that_is_too_late_ends_by_transforms_word_alone(word: type) -> None:
    walk = to_publishing()
    (publish,) = walk.commands(PublishRun)
    walk.time_out(publish.step_id)
    assert walk.status == "publishing"
    assert len(walk.commands(AbortPublish)) == 1
    assert isinstance(walk.time_out(publish.step_id), Ignored)
    assert isinstance(walk.tell(CancelRun(run_id=walk.run_id)), Ignored)
    more = {
        PublishAborted: {},
        RunPublished: {"table_ids": ()},
        PublishFailed: {"problem": PROBLEM},
    }
    walk.tell(word(run_id=walk.run_id, **more[word]))
    assert walk.state is not None
    ends = {PublishAborted: "timed_out", RunPublished: None, PublishFailed: "broken"}
    assert (walk.state.error.code if walk.state.error else None) == ends[word]
    assert walk.status == ("succeeded" if word is RunPublished else "failed")


def test_a_silent_run_asks_again_for_exactly_what_runs() -> None:
    walk = Walk().start()
    assert isinstance(walk.tell(RunStalled()), Ignored)
    walk.plan()
    first, second = walk.commands(SyncSource)
    walk.synced(first)
    version_before = walk.state.version if walk.state else 0
    result = walk.tell(RunStalled())
    assert isinstance(result, Moved)
    assert result.messages == (second.model_copy(update={"repeated": True}),)
    assert result.state.version == version_before
    walk.synced(second)
    (clean,) = walk.commands(BuildTransformation)
    result = walk.tell(RunStalled())
    assert isinstance(result, Moved)
    assert result.messages == (clean.model_copy(update={"repeated": True}),)


def test_a_silent_publish_is_asked_for_again_and_an_abort_as_an_abort() -> None:
    walk = to_publishing()
    (publish,) = walk.commands(PublishRun)
    result = walk.tell(RunStalled())
    assert isinstance(result, Moved)
    assert result.messages == (publish,)
    walk.tell(CancelRun(run_id=walk.run_id))
    (abort,) = walk.commands(AbortPublish)
    result = walk.tell(RunStalled())
    assert isinstance(result, Moved)
    assert result.messages == (abort,)


def after_a_failed_build() -> Walk:
    """A run whose second transformation has failed."""
    walk = Walk().start().plan()
    for command in walk.commands(SyncSource):
        walk.synced(command)
    (clean,) = walk.commands(BuildTransformation)
    walk.built(clean)
    _, summary = walk.commands(BuildTransformation)
    walk.tell(
        TransformationFailed(run_id=walk.run_id, step_id=summary.step_id, lease=1, problem=PROBLEM)
    )
    return walk


def test_a_retry_begins_where_the_run_stopped_and_keeps_what_was_made() -> None:
    walk = after_a_failed_build()
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    queued = walk.said[-1]
    assert isinstance(queued, RunQueued)
    assert (queued.run.attempt, queued.run.error, queued.run.finished_at) == (2, None, None)
    assert [step.status for step in queued.run.steps] == [
        *["succeeded"] * 2,
        "pending",
        "succeeded",
        "pending",
    ]
    walk.plan()
    assert walk.status == "transforming"
    assert len(walk.commands(SyncSource)) == 2
    failed, again = walk.commands(BuildTransformation)[1:]
    assert again == failed.model_copy(update={"step_id": again.step_id, "attempt": 2})
    assert again.step_id != failed.step_id
    late = walk.built(failed)
    assert isinstance(late, Ignored)
    assert late.reason == "the step was begun anew since"
    walk.built(again)
    (publish,) = walk.commands(PublishRun)
    assert {table.table_id for table in publish.tables} == {DONATIONS, DONORS, CLEAN, SUMMARY}
    walk.tell(RunPublished(run_id=walk.run_id, table_ids=(), attempt=2))
    assert walk.status == "succeeded"


def test_a_retry_after_a_failed_source_loads_only_what_failed() -> None:
    walk = Walk().start().plan()
    first, second = walk.commands(SyncSource)
    walk.tell(SourceSyncFailed(run_id=walk.run_id, step_id=first.step_id, lease=1, problem=PROBLEM))
    walk.synced(second)
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    walk.plan()
    assert walk.status == "syncing"
    again = walk.commands(SyncSource)[2:]
    assert [command.source_id for command in again] == [first.source_id]


def test_a_publish_that_failed_is_tried_again_without_any_other_work() -> None:
    walk = to_publishing()
    walk.tell(PublishFailed(run_id=walk.run_id, problem=PROBLEM))
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    walk.plan()
    assert walk.status == "publishing"
    first, again = walk.commands(PublishRun)
    assert again == first.model_copy(update={"step_id": again.step_id, "attempt": 2})
    late = walk.tell(PublishFailed(run_id=walk.run_id, problem=PROBLEM))
    assert isinstance(late, Ignored)
    assert late.reason == "it is about attempt 1"


def test_a_run_that_was_refused_is_planned_anew_when_it_is_retried() -> None:
    walk = Walk().start()
    walk.tell(RunPlanRefused(PROBLEM))
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    walk.plan()
    assert walk.status == "syncing"
    assert walk.state is not None
    assert {step.view.attempt for step in walk.state.steps} == {2}


def test_a_retry_is_begun_once_and_only_of_a_run_that_did_not_succeed() -> None:
    walk = after_a_failed_build()
    assert isinstance(walk.tell(RetryRun(run_id=walk.run_id, attempt=3)), Ignored)
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    assert isinstance(walk.tell(RetryRun(run_id=walk.run_id, attempt=2)), Ignored)
    walk.tell(CancelRun(run_id=walk.run_id))
    assert isinstance(walk.tell(RetryRun(run_id=walk.run_id, attempt=2)), Ignored)
    done = to_publishing()
    done.tell(RunPublished(run_id=done.run_id, table_ids=()))
    assert isinstance(done.tell(RetryRun(run_id=done.run_id, attempt=2)), Ignored)


def test_a_call_to_stop_names_the_attempt_that_is_to_stop() -> None:
    walk = after_a_failed_build()
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    walk.plan()
    walk.tell(CancelRun(run_id=walk.run_id))
    assert walk.commands(RunCancelRequested)[-1].attempt == 2


def test_the_page_of_the_states_is_what_the_machine_says() -> None:
    script = Path(__file__).parents[3] / "scripts" / "states.py"
    asked = [sys.executable, script, "--check"]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_as_many_steps_begin_as_there_is_room_for() -> None:
    walk = Walk(Slots(syncs=1, builds=1)).start().plan()
    (first,) = walk.commands(SyncSource)
    assert isinstance(walk.tell(RoomFreed()), Ignored)
    walk.synced(first)
    _, second = walk.commands(SyncSource)
    walk.synced(second)
    assert walk.status == "transforming"
    assert len(walk.commands(BuildTransformation)) == 1


def test_a_run_without_room_is_admitted_and_begins_when_there_is() -> None:
    walk = Walk(Slots()).start().plan()
    assert walk.status == "syncing"
    assert walk.commands(SyncSource) == []
    assert isinstance(walk.tell(RunStalled()), Ignored)
    walk.room = ENOUGH
    walk.tell(RoomFreed())
    assert len(walk.commands(SyncSource)) == 2


def test_a_cancel_ends_steps_that_had_no_room_yet_and_a_retry_begins_them() -> None:
    walk = Walk(Slots(syncs=1, builds=1)).start().plan()
    walk.tell(CancelRun(run_id=walk.run_id))
    assert walk.state is not None
    assert {step.view.status for step in walk.state.steps} == {"cancelled"}
    walk.tell(RetryRun(run_id=walk.run_id, attempt=2))
    walk.plan()
    assert len(walk.commands(SyncSource)) == 2
    assert len({command.step_id for command in walk.commands(SyncSource)}) == 2
