"""A stand-in for the parts of launch and launch_ros that the launch file uses.

These packages come with a ROS install only. The stand-in takes the keywords that Humble's
constructors take, in their rules (keyword-only, required, defaults among choices), and
evaluates substitutions, conditions and opaque functions; nothing is started.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import pytest


class LaunchContext:
    def __init__(self, arguments: dict[str, str] | None = None) -> None:
        self.launch_configurations: dict[str, str] = dict(arguments or {})


class LaunchConfiguration:
    def __init__(self, variable_name: str, *, default: Any = None) -> None:
        self.variable_name = variable_name

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.variable_name]


class IfCondition:
    def __init__(self, predicate_expression: Any) -> None:
        self.predicate = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        text = evaluate(context, self.predicate).strip().lower()
        if text not in ("true", "false", "1", "0"):
            raise ValueError(f"not a condition: {text!r}")
        return text in ("true", "1")


class Action:
    def __init__(self, *, condition: IfCondition | None = None) -> None:
        self.condition = condition


class DeclareLaunchArgument(Action):
    def __init__(
        self,
        name: str,
        *,
        default_value: Any = None,
        description: str | None = None,
        choices: list[str] | None = None,
        condition: IfCondition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(f"default {default_value!r} of {name} is not among {choices}")
        self.name, self.default_value = name, default_value
        self.description, self.choices = description, choices

    def execute(self, context: LaunchContext) -> None:
        value = context.launch_configurations.setdefault(
            self.name, evaluate(context, self.default_value)
        )
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f"{self.name}: {value!r} is not among {self.choices}")


class OpaqueFunction(Action):
    def __init__(
        self,
        *,
        function: Callable[..., list[Action] | None],
        args: Iterable[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        condition: IfCondition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self.function = function


class EmitEvent(Action):
    def __init__(self, *, event: Any, condition: IfCondition | None = None) -> None:
        super().__init__(condition=condition)
        self.event = event


class RegisterEventHandler(Action):
    def __init__(self, event_handler: Any, *, condition: IfCondition | None = None) -> None:
        super().__init__(condition=condition)
        self.event_handler = event_handler


class LogInfo(Action):
    def __init__(self, *, msg: Any, condition: IfCondition | None = None) -> None:
        super().__init__(condition=condition)
        self.msg = msg


class Node(Action):
    def __init__(
        self,
        *,
        executable: Any,
        package: Any = None,
        name: Any = None,
        namespace: Any = None,
        exec_name: Any = None,
        parameters: list[Any] | None = None,
        remappings: Iterable[Any] | None = None,
        ros_arguments: Iterable[Any] | None = None,
        arguments: Iterable[Any] | None = None,
        output: str = "log",
        emulate_tty: bool = False,
        additional_env: dict[Any, Any] | None = None,
        respawn: bool = False,
        condition: IfCondition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self.package, self.executable = package, executable
        self.name, self.namespace = name, namespace
        self.parameters = parameters or []
        self.remappings = list(remappings or [])
        self.arguments = list(arguments or [])
        self.additional_env = additional_env or {}


class LifecycleNode(Node):
    def __init__(self, *, name: Any, namespace: Any, **kwargs: Any) -> None:
        super().__init__(name=name, namespace=namespace, **kwargs)


class OnStateTransition:
    def __init__(
        self,
        *,
        entities: list[Action],
        target_lifecycle_node: LifecycleNode | None = None,
        transition: str | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
    ) -> None:
        self.entities, self.target = entities, target_lifecycle_node
        self.start_state, self.goal_state = start_state, goal_state


class ChangeState:
    def __init__(self, *, lifecycle_node_matcher: Callable, transition_id: int) -> None:
        self.matches, self.transition_id = lifecycle_node_matcher, transition_id


class ParameterValue:
    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value, self.value_type = value, value_type


class LaunchDescription:
    def __init__(self, initial_entities: Iterable[Action] | None = None) -> None:
        self.entities = list(initial_entities or [])


class _Transition:
    TRANSITION_CONFIGURE = 1
    TRANSITION_ACTIVATE = 3


def evaluate(context: LaunchContext, value: Any) -> str:
    """A substitution, a text, or a list of them, as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, LaunchConfiguration):
        return value.perform(context)
    return "".join(evaluate(context, part) for part in value)


def run(description: LaunchDescription, arguments: dict[str, str]) -> list[Action]:
    """Visit a description: the actions that take effect, opaque functions opened up."""
    context = LaunchContext(arguments)
    pending, done = list(description.entities), []
    while pending:
        action = pending.pop(0)
        if action.condition is not None and not action.condition.evaluate(context):
            continue
        if isinstance(action, DeclareLaunchArgument):
            action.execute(context)
        elif isinstance(action, OpaqueFunction):
            pending[:0] = action.function(context) or []
            continue
        done.append(action)
    return done


def install(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    """Put the stand-in in the place of the genuine modules, for one test."""

    def module(name: str, **names: Any) -> None:
        made = types.ModuleType(name)
        made.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, made)

    module("launch", LaunchContext=LaunchContext, LaunchDescription=LaunchDescription)
    module("launch.action", Action=Action)
    module(
        "launch.actions",
        DeclareLaunchArgument=DeclareLaunchArgument,
        EmitEvent=EmitEvent,
        LogInfo=LogInfo,
        OpaqueFunction=OpaqueFunction,
        RegisterEventHandler=RegisterEventHandler,
    )
    module("launch.conditions", IfCondition=IfCondition)
    module("launch.events", matches_action=lambda wanted: lambda action: action is wanted)
    module("launch.substitutions", LaunchConfiguration=LaunchConfiguration)
    module("launch_ros")
    module("launch_ros.actions", LifecycleNode=LifecycleNode, Node=Node)
    module("launch_ros.event_handlers", OnStateTransition=OnStateTransition)
    module("launch_ros.events")
    module("launch_ros.events.lifecycle", ChangeState=ChangeState)
    module("launch_ros.parameter_descriptions", ParameterValue=ParameterValue)
    module("lifecycle_msgs")
    module("lifecycle_msgs.msg", Transition=_Transition)
    module("ament_index_python")
    module("ament_index_python.packages", get_package_share_directory=lambda package: share)
