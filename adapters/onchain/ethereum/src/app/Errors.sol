// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Why the trade application refuses. Each error is named as the Python contract's class; `rule` is
/// ASCII text, at most 32 characters.

/// A clearing, a cell set, a verdict, bands or evidence is missing here; true later.
error NotYetPosted(bytes32 rule);
/// A field is out of range or contradicts another.
error InvalidMessage(bytes32 rule);
/// The signature, or the sender's role, does not permit it.
error NotPermitted(bytes32 rule);
/// Too few cells signed.
error QuorumMissing(uint256 signed, uint256 needed);
/// The account or vault holds less.
error InsufficientFunds(uint256 held, uint256 needed);
/// An amount is out of range.
error InvalidCoins(bytes32 rule);
/// An order does not hold.
error OrderRefused(bytes32 rule);
/// The row's time has not come; true from `from` on.
error TooEarly(bytes32 rule, uint256 from);
/// The row's time is over since `until`.
error TooLate(bytes32 rule, uint256 until);
/// The trade does not hold: terms, ladder, orders or hash lock.
error TradeRefused(bytes32 rule);
/// No lock has this H or id here.
error LockNotFound(bytes32 lockId);
/// A leaf does not lie in the tree it is shown for.
error ProofRefused(bytes32 rule);
/// The lock does not allow this now.
error LockRefused(bytes32 rule);
/// A decision does not fit the lock, its group or the verdict's signers.
error VerdictMismatch(bytes32 rule);
/// The cell has paused this until then (unix seconds); never an exit.
error Paused(uint256 until);
/// A call from inside a token or from another contract's callback.
error Reentered();
/// The module was called itself, or App was put together wrongly.
error WrongModule();
