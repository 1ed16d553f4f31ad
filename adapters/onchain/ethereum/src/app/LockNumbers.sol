// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Numbers of locks: legs, statuses, decisions, reasons and alarms. They never change.

uint8 constant LEG_IN = 1;
uint8 constant LEG_OUT = 2;
uint8 constant LEG_LOCAL = 3;

uint8 constant OPEN = 1;
uint8 constant CONFIRMED = 2;
uint8 constant CLOSED = 3;
uint8 constant PENDING = 4;
uint8 constant LOCKED = 5;
uint8 constant REFUSED = 6;

uint8 constant ACCEPT = 1;
uint8 constant REFUSE = 2;

uint8 constant REASON_NO_VERDICT = 9;
uint8 constant REASON_OWNER_SILENT = 12;
uint8 constant REASON_PAYLOAD = 16;
uint8 constant REASON_MANDATE = 17;
uint8 constant REASON_VAULT = 18;
uint8 constant REASON_ORDER = 19;
uint8 constant REASON_LADDER = 20;
uint8 constant REASON_H_USED = 21;
uint8 constant REASON_CELL_SET = 22;
uint8 constant REASON_CAP = 23;
uint8 constant REASON_PAUSED = 24;

uint8 constant ALARM_ACK_UNREADABLE = 1;
uint8 constant ALARM_SENTINEL_AFTER_CLAIM = 2;
uint8 constant ALARM_SENTINEL_AFTER_SUCCESS = 3;
uint8 constant ALARM_TIMEOUT_AFTER_CLAIM = 4;
uint8 constant ALARM_TIMEOUT_AFTER_SUCCESS = 5;
