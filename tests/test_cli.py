from wherewhen.cli import cli, run


def test_the_command_keeps_its_name_and_options():
    from kedro.framework.cli.project import run as kedro_run

    assert run.name == "run"
    assert [each.to_info_dict() for each in run.params] == [
        each.to_info_dict() for each in kedro_run.params
    ]
    assert kedro_run.callback is not run.callback


def test_the_commands_are_there():
    assert set(cli.commands) == {"experiment", "purge", "run"}
