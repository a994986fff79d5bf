"""What a contract is: the named, typed columns that a frame must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import ContractError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

UTC_TIME = "datetime64[us, UTC]"


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Attributes
    ----------
    name
        The column's name.
    dtype
        A pandas dtype: ``str``, ``category``, ``Int64``, ``datetime64[us, UTC]`` ...
    nullable
        Whether a value may be missing.
    unit
        The unit of its values, where they have one.
    meaning
        What the column says, in one line.
    """

    name: str
    dtype: str
    nullable: bool = False
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Contract:
    """The columns that a frame of one noun has. Further columns are allowed.

    Attributes
    ----------
    name
        The contract's name, as in the documentation: ``LOGS``, ``LEAKS`` ...
    columns
        Its columns, in the order in which they are shown.
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """Return a frame without rows that fulfils the contract."""
        return self.build({})

    def build(self, data: Mapping[str, Iterable[object]]) -> pd.DataFrame:
        """Make a frame from columns of values, cast to the contract's dtypes.

        Parameters
        ----------
        data
            Values by column name. A column that is left out is all missing.

        Returns
        -------
        pandas.DataFrame
            The frame, its columns in the contract's order, further ones after them.

        Raises
        ------
        ContractError
            If a value cannot be cast, or is missing where none may be.
        """
        return self.conform(pd.DataFrame(dict(data)))

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Cast a frame to the contract: what a room's public function returns.

        Parameters
        ----------
        frame
            Any frame; columns of the contract that it lacks become all missing.

        Returns
        -------
        pandas.DataFrame
            A new frame with the contract's columns first.

        Raises
        ------
        ContractError
            If a value cannot be cast, or is missing where none may be.
        """
        cast: dict[str, pd.Series] = {}
        for column in self.columns:
            if column.name in frame.columns:
                values = frame[column.name]
            else:
                values = pd.Series([None] * len(frame), index=frame.index, dtype=object)
            cast[column.name] = self._cast(column, values)
        rest = [name for name in frame.columns if name not in cast]
        out = pd.DataFrame(cast, index=frame.index)
        for name in rest:
            out[name] = frame[name]
        return out

    def order(self, frame: pd.DataFrame, **levels: Sequence[str]) -> pd.DataFrame:
        """Give columns of a frame of the contract the order of their values.

        Parameters
        ----------
        frame
            As `conform` gives it.
        **levels
            By column: all its values, the least first.

        Returns
        -------
        pandas.DataFrame
            The frame, these columns ordered categoricals.

        Examples
        --------
        >>> one = Contract("ONE", (Column("size", "str", False),))
        >>> frame = one.order(one.build({"size": ["L", "S"]}), size=("S", "L"))
        >>> frame["size"].max()
        'L'
        """
        ordered = {
            name: frame[name].astype(pd.CategoricalDtype(list(values), ordered=True))
            for name, values in levels.items()
        }
        return frame.assign(**ordered)

    def check(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Refuse a frame that lacks a column or holds times without a zone.

        Parameters
        ----------
        frame
            What a caller passed in.

        Returns
        -------
        pandas.DataFrame
            The same frame.

        Raises
        ------
        ContractError
            Naming the missing columns and the nearest ones present.
        """
        kind: object = type(frame)
        if not (isinstance(kind, type) and issubclass(kind, pd.DataFrame)):
            msg = f"{self.name} is a DataFrame; a {type(frame).__name__} came"
            raise ContractError(msg)
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            near = suggest(missing[0], map(str, frame.columns))
            msg = f"not a {self.name} frame: missing {', '.join(missing)}{near}"
            raise ContractError(msg)
        for column in self.columns:
            dtype = frame[column.name].dtype
            if column.dtype == UTC_TIME and not isinstance(dtype, pd.DatetimeTZDtype):
                msg = (
                    f"{self.name}.{column.name} is {dtype}; times are UTC inside: "
                    "use pd.to_datetime(..., utc=True)"
                )
                raise ContractError(msg)
        return frame

    def _cast(self, column: Column, values: pd.Series) -> pd.Series:
        cast: pd.Series
        try:
            if column.dtype == UTC_TIME:
                cast = pd.to_datetime(values, utc=True).dt.as_unit("us")
            else:
                dtype: Any = column.dtype
                cast = values.astype(dtype)
        except (TypeError, ValueError) as error:
            msg = f"{self.name}.{column.name} is not {column.dtype}: {error}"
            raise ContractError(msg) from error
        if not column.nullable and bool(cast.isna().any()):
            row = int(cast.isna().to_numpy().argmax())
            msg = f"{self.name}.{column.name} is missing in row {row}"
            raise ContractError(msg)
        return cast
