"""What every action is: something that is done to packets, with a number, users and counters of its own.

A kind subclasses :class:`Action`, names its ``kind`` and gives ``act`` and ``change``; that makes it known to ``tc``
lines. After struct tc_action_ops in include/net/act_api.h of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from ringwire.action.registry import ACTIONS
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.action.estimator import Estimator
    from ringwire.action.table import ActionTable

P = TypeVar("P")

JUMP = 0x1000_0000
"""A verdict between actions, or'd with a number: go on with the action of that number, counted from 0."""
JUMP_MASK = 0x0FFF_FFFF


class ActionHost(Protocol):
    """What the devices of one host share."""

    actions: ActionTable
    mirred_depth: int
    """Redirections that are under way, one within the other."""

    def device(self, name: str) -> ActionDevice | None: ...


class ActionDevice(Protocol):
    """What an action uses of the device that the packet is on, or of the one it sends it to."""

    name: str
    ifindex: int
    is_up: bool
    carrier: bool
    hard_header_len: int
    real_num_tx_queues: int
    keep_queue: bool
    """The packet's ``queue_mapping`` is its transmit queue: none is to be picked."""
    random_u32: Callable[[], int]

    @property
    def net(self) -> ActionHost: ...
    def now_ns(self) -> int: ...
    def drop(self, skb: Skb) -> None: ...
    def transmit(self, skb: Skb) -> int:
        """Send a packet (dev_queue_xmit)."""
        ...

    def receive(self, skb: Skb) -> bool:
        """Have a packet come in (netif_receive_skb); False if it was dropped."""
        ...


class Action(ABC, Generic[P]):
    """One action: filters that name its ``index`` share it."""

    kind: ClassVar[str]
    """Name in ``tc`` lines; a subclass that sets it is registered under it."""
    params_type: ClassVar[type[Any]]
    """Dataclass of its options."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ACTIONS.note(cls)

    def __init__(self, dev: ActionDevice, index: int, params: P, estimator: Estimator | None = None) -> None:
        """``dev`` is the device of the filter that the action is made for. QdiscError refuses."""
        self.index = index
        self.references = 1
        self.bound = 0
        """Filters that use it."""
        self.estimator = estimator
        """Measures its rate, if that was asked for."""
        self.old_style = False
        """Made by ``police`` without the word ``action``, and shown so."""
        self.cookie = b""
        self.bytes = 0
        self.packets = 0
        self.drops = 0
        self.overlimits = 0
        self.installed_ns = self.used_ns = dev.now_ns()
        self.first_used_ns: int | None = None
        self.listed = False
        """It was shown by ``tc actions``: from then on Linux says that no hardware counts for it."""
        self.setup(dev)
        self.change(dev, params)

    def setup(self, dev: ActionDevice) -> None:
        """Make what it needs: once, before the first :meth:`change`."""

    @abstractmethod
    def change(self, dev: ActionDevice, params: P) -> None:
        """Take parameters, at creation and by ``tc actions replace``; QdiscError refuses, and nothing has changed."""

    @abstractmethod
    def params(self) -> P:
        """The parameters in force."""

    @abstractmethod
    def act(self, skb: Skb, dev: ActionDevice) -> int:
        """A verdict of :mod:`ringwire.qdisc.classify`: PIPE hands the packet to the next action.

        STOLEN means that the action has taken the packet and sees to it that it is freed. ``drops`` and
        ``overlimits`` are the kind's to count, bytes and packets are not.
        """


ACTIONS.base = Action
