// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Hashes} from "tieline/app/Hashes.sol";
import {OrderRef} from "tieline/app/Records.sol";
import {DecidedLeaf, DeliveryProof, LockTerms, OwnLeaf} from "tieline/app/TradeRecords.sol";
import {Packet} from "tieline/host/Types.sol";

import {TradeWorld} from "../support/TradeWorld.sol";

/// @title What always holds, whatever anyone sends in whatever order (docs/spec/trade.md 8)
/// @notice Two trades from a to b, a direct and a pooled one; forge draws the moves. A move that is refused
/// reverts and leaves nothing; what a move must not do is noted in `broken`, which the invariants read.
abstract contract TradeMoves is TradeWorld {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    struct ClaimCase {
        bool onA;
        bool knows;
        bool isStated;
        /// Every guard of the row holds.
        bool holds;
        uint64 wh;
        uint64 index;
        State before;
    }

    uint8 private constant OPEN = 1;
    uint8 private constant CLOSED = 3;
    uint8 private constant PENDING = 4;
    uint8 private constant REFUSED = 6;

    bytes32 private constant OTHER_SECRET = bytes32(uint256(0x6f6f));

    bytes[2] private _encoded;
    uint64[2] private _sequences;
    string public broken;
    /// Roots of statements, by ledger, in the order in which they were stored.
    mapping(bool onA => bytes32[]) private _stated;

    function setUp() public virtual override {
        super.setUp();
        _encoded[0] = abi.encode(direct(300, OTHER_SECRET));
        _encoded[1] = abi.encode(pooled());
        targetContract(address(this));
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0].addr = address(this);
        bytes4[] memory selectors = new bytes4[](13);
        selectors[0] = this.timeGoesOn.selector;
        selectors[1] = this.doSend.selector;
        selectors[2] = this.doReceive.selector;
        selectors[3] = this.doAccept.selector;
        selectors[4] = this.doRefuse.selector;
        selectors[5] = this.doExpire.selector;
        selectors[6] = this.doAcknowledge.selector;
        selectors[7] = this.doTimeOut.selector;
        selectors[8] = this.doState.selector;
        selectors[9] = this.doClaim.selector;
        selectors[10] = this.doWaive.selector;
        selectors[11] = this.doRefund.selector;
        selectors[12] = this.doCollect.selector;
        list[0].selectors = selectors;
    }

    // --- moves --------------------------------------------------------------------------------------

    /// @notice Onwards to the second before, at or after a deadline. The cells pause all they can now and then.
    function timeGoesOn(uint256 seed) external {
        uint64[7] memory edges = [LOCK_DEADLINE, TAU, D, E, E + 300, T_B, T_A];
        uint256 time = edges[seed % 7] + (seed >> 8) % 3 - 1;
        if (time > block.timestamp) vm.warp(time);
        if ((seed >> 16) % 4 != 0) return;
        uint64 until = uint64(block.timestamp) + 900;
        vm.prank(a.cell);
        a.app.setPauses(until, until, until, until);
        vm.prank(b.cell);
        b.app.setPauses(until, until, until, until);
        vm.prank(b.cell);
        b.host.setPause(0, true, true);
    }

    function doSend(uint256 seed) external {
        (Position memory p, uint256 i) = _pick(seed);
        uint64 next = a.host.client(0).nextSequence;
        sendNow(p);
        // A repeat sends nothing.
        if (a.host.client(0).nextSequence != next) _sequences[i] = next;
    }

    function doReceive(uint256 seed) external {
        (Position memory p,) = _pick(seed);
        receiveNow(p);
    }

    function doAccept(uint256 seed, uint64 capWh) external {
        (Position memory p,) = _pick(seed);
        applyOn(b, lone(accept(p, uint64(bound(capWh, 1, 300)))), 11);
    }

    function doRefuse(uint256 seed) external {
        (Position memory p,) = _pick(seed);
        applyOn(b, lone(refuse(p, 1)), 11);
    }

    function doExpire(uint256 seed) external {
        (Position memory p,) = _pick(seed);
        bool isDue = _stateOut(p).status == PENDING && block.timestamp >= D;
        try b.app.expirePending(0, packetOf(p)) {
            _note(block.timestamp >= D, "expired before its time");
        } catch {
            _note(!isDue, "an expiry that is due was refused");
        }
    }

    /// @notice A success, garbage or the sentinel; that only the last refunds below the cap is noted.
    function doAcknowledge(uint256 seed, uint64 capWh) external {
        (Position memory p,) = _pick(seed);
        State memory before = _stateIn(p);
        uint256 kind = (seed >> 8) % 3;
        capWh = uint64(bound(capWh, before.cap, 1000));
        bytes memory answer = answerOf(p, keccak256("root"), capWh);
        if (kind == 1) answer = hex"0102";
        if (kind == 2) answer = abi.encodePacked(SENTINEL);
        acknowledge(p, answer);
        State memory afterwards = _stateIn(p);
        if (kind != 2) _note(_open(afterwards) == _open(before), "a success refunded below its cap");
    }

    function doTimeOut(uint256 seed) external {
        (Position memory p,) = _pick(seed);
        bool isSent = a.host.stored(0, 1, p.sequence) != 0;
        if (!isSent || b.host.stored(0, 2, p.sequence) != 0) return;
        timeOut(p, uint64(block.timestamp));
        _note(block.timestamp >= TAU, "timed out before tau");
    }

    function doState(uint256 seed, uint64 wh) external {
        (Position memory p,) = _pick(seed);
        bool onA = (seed >> 8) % 2 == 0;
        bytes32 root = deliveryRoot(p.trade.tradeId, _wh(wh));
        deliverRoot(onA ? a : b, root);
        bytes32[] storage roots = _stated[onA];
        for (uint256 i = 0; i < roots.length; ++i) if (roots[i] == root) return;
        roots.push(root);
    }

    function doClaim(uint256 seed, uint64 wh, uint64 index) external {
        (Position memory p,) = _pick(seed);
        ClaimCase memory c = _claimCase(p, seed, _wh(wh), index % 3);
        bytes memory preimage = abi.encode(c.knows ? p.preimage : bytes32(uint256(1)));
        bool isDone = _tryClaim(c.onA, c.onA ? termsIn(p) : termsOut(p), preimage, proofOf(c.index, c.wh));
        _note(isDone || !c.holds, "a claim that holds was refused");
        State memory afterwards = c.onA ? _stateIn(p) : _stateOut(p);
        if (afterwards.paid == c.before.paid) return;
        _note(c.isStated, "claimed without a statement");
        _note(c.knows, "claimed without the preimage");
        _note(c.holds, "claimed against its guard");
        _note(afterwards.paid <= c.before.cap && afterwards.paid <= c.wh, "paid more than was delivered");
    }

    function _claimCase(Position memory p, uint256 seed, uint64 wh, uint64 index)
        private
        view
        returns (ClaimCase memory c)
    {
        (c.onA, c.knows) = ((seed >> 8) % 2 == 0, (seed >> 16) % 4 != 0);
        (c.wh, c.index) = (wh, index);
        bytes32[] storage roots = _stated[c.onA];
        c.isStated = index < roots.length && roots[index] == deliveryRoot(p.trade.tradeId, wh);
        c.before = c.onA ? _stateIn(p) : _stateOut(p);
        bool isOpen = _open(c.before) != 0 && c.before.status != PENDING;
        c.holds = c.knows && c.isStated && isOpen && block.timestamp < (c.onA ? T_A : T_B);
    }

    function _tryClaim(bool onA, LockTerms memory terms, bytes memory preimage, DeliveryProof memory proof)
        private
        returns (bool)
    {
        try (onA ? a : b).app.claim(terms, preimage, proof) {
            return true;
        } catch {
            return false;
        }
    }

    function doWaive(uint256 seed, uint64 wh) external {
        (Position memory p,) = _pick(seed);
        bool onA = (seed >> 8) % 2 == 0;
        address[4] memory senders = [connector, vm.addr(BOB), b.cell, address(0xbad)];
        address sender = senders[(seed >> 16) % 4];
        State memory before = onA ? _stateIn(p) : _stateOut(p);
        _waive(p, onA, uint64(bound(wh, 0, 300)), sender);
        State memory afterwards = onA ? _stateIn(p) : _stateOut(p);
        if (afterwards.cap == before.cap) return;
        address payee = onA ? connector : p.sells.length > 1 ? b.cell : p.trade.seller;
        _note(sender == payee, "waived by another than the payee");
    }

    function _waive(Position memory p, bool onA, uint64 wh, address sender) private {
        bytes32 lockId = onA ? lockIdIn(p.trade) : lockIdOut(p.trade);
        bytes memory cosignature = sign(cellKeys[3], keccak256(abi.encode(Hashes.WAIVE_TYPE, lockId, wh)));
        LockTerms memory terms = onA ? termsIn(p) : termsOut(p);
        vm.prank(sender);
        (onA ? a : b).app.waive(terms, wh, cosignature, rows);
    }

    function doRefund(uint256 seed, uint64 wh) external {
        (Position memory p,) = _pick(seed);
        bool onA = (seed >> 8) % 2 == 0;
        bool shows = !onA && (seed >> 16) % 2 == 0;
        State memory before = onA ? _stateIn(p) : _stateOut(p);
        bool isLive = _open(before) != 0 && before.status != PENDING;
        DeliveryProof[] memory shown = shows ? leavesOf(proofOf(0, _wh(wh))) : noLeaves();
        Packet[] memory packet = new Packet[](onA ? 0 : 1);
        if (!onA) packet[0] = packetOf(p);
        bool isDone = _tryRefund(onA, onA ? termsIn(p) : termsOut(p), shown, packet);
        bool isDue = isLive && block.timestamp >= T_A && !shows;
        _note(isDone || !isDue, "a refund from T_A was refused");
        if (isDone && isLive) _note(block.timestamp >= (onA ? T_A : T_B), "refunded before its expiry");
    }

    function _tryRefund(
        bool onA,
        LockTerms memory terms,
        DeliveryProof[] memory shown,
        Packet[] memory packet
    ) private returns (bool) {
        try (onA ? a : b).app.refund(terms, shown, 0, packet) {
            return true;
        } catch {
            return false;
        }
    }

    function doCollect(uint256 seed) external {
        Position memory p = _at(1);
        bool onA = (seed >> 8) % 2 == 0;
        if (onA) a.app.collectShares(termsIn(p), 1, p.buys);
        else b.app.collectShares(termsOut(p), 2, p.sells);
    }

    // --- what always holds --------------------------------------------------------------------------

    function invariant_no_move_broke_a_rule() external view {
        assertEq(broken, "", "broken");
    }

    /// @notice Tokens that the application holds = balances + vaults + escrows and bonds + locks.
    function invariant_every_token_has_one_place() external view {
        assertEq(pay.balanceOf(address(a.app)), _moneyOn(true), "a");
        assertEq(pay.balanceOf(address(b.app)), _moneyOn(false), "b");
    }

    /// @notice paid + refunded + open = energy, of which no part is ever negative.
    function invariant_a_lock_keeps_its_word() external view {
        for (uint256 i = 0; i < 2; ++i) {
            Position memory p = _at(i);
            State[2] memory both = [_stateIn(p), _stateOut(p)];
            for (uint256 leg = 0; leg < 2; ++leg) {
                State memory state = both[leg];
                if (state.status == 0) continue;
                assertTrue(state.paid <= p.trade.energyWh && state.cap <= p.trade.energyWh, "in bounds");
                assertTrue(state.paid <= state.cap || state.status == REFUSED, "paid is below the cap");
                assertTrue(state.slashed + state.paid <= p.trade.energyWh, "slashed is not delivered");
            }
        }
    }

    /// @notice What a mandate holds open is what its locks hold.
    function invariant_a_mandate_counts_its_locks() external view {
        uint256 open = 0;
        for (uint256 i = 0; i < 2; ++i) open += _open(_stateOut(_at(i))) * uint256(PRICE_OUT);
        assertEq(openOfMandate(), open, "open");
    }

    // --- books --------------------------------------------------------------------------------------

    function _moneyOn(bool onA) private view returns (uint256 sum) {
        IAppLike app = IAppLike(address(onA ? a.app : b.app));
        uint256[7] memory people = [ANN, AMY, ABE, SOL, BOB, BEN, BEA];
        for (uint256 i = 0; i < 7; ++i) sum += app.balanceOf(vm.addr(people[i]));
        sum += app.balanceOf(connector) + app.vaultOf(connector);
        sum += app.vaultOf(Hashes.imbalanceAccount(onA ? a.tag : b.tag));
        for (uint256 i = 0; i < 2; ++i) {
            Position memory p = _at(i);
            OwnLeaf[] memory own = onA ? p.buys : p.sells;
            for (uint256 j = 0; j < own.length; ++j) sum += _escrowOf(app, p, own[j], onA);
            sum += onA ? _heldIn(p) : _heldOut(p);
        }
    }

    function _escrowOf(IAppLike app, Position memory p, OwnLeaf memory own, bool onA)
        private
        view
        returns (uint256 left)
    {
        bytes32 anchor = !onA && p.sells.length == 1 ? p.trade.hashlock : bytes32(0);
        (,, left,) = app.orderOf(
            OrderRef(own.allocation.orderId, own.allocation.account, S, 900, anchor)
        );
    }

    /// @dev Money of open Wh, and of a pool what nobody has collected.
    function _heldIn(Position memory p) private view returns (uint256) {
        State memory state = _stateIn(p);
        if (state.status == 0) return 0;
        uint256 heldWh = _open(state);
        uint256 energy = p.trade.energyWh;
        if (p.buys.length > 1) {
            uint256 refunded = energy - state.paid - _open(state);
            heldWh += refunded - (state.cursorBuy - uint256(state.cursorBuy) * state.paid / energy);
        }
        return heldWh * PRICE_IN;
    }

    function _heldOut(Position memory p) private view returns (uint256) {
        State memory state = _stateOut(p);
        if (state.status == 0) return 0;
        uint256 energy = p.trade.energyWh;
        uint256 heldWh = _open(state);
        uint256 bondWh = heldWh;
        if (p.sells.length > 1) {
            uint256 cursor = state.cursorSell;
            heldWh += state.paid - cursor * state.paid / energy;
            bondWh = energy - state.slashed - (cursor - cursor * state.slashed / energy);
        }
        return heldWh * PRICE_OUT + bondWh * BOND;
    }

    // --- states -------------------------------------------------------------------------------------

    function _open(State memory state) private pure returns (uint256) {
        if (state.status == 0 || state.status == CLOSED || state.status == REFUSED) return 0;
        return state.cap - state.paid;
    }

    function _stateIn(Position memory p) private view returns (State memory) {
        return _read(a, p, lockIdIn(p.trade), OPEN);
    }

    function _stateOut(Position memory p) private view returns (State memory) {
        return _read(b, p, lockIdOut(p.trade), PENDING);
    }

    /// @dev status 0: no such lock. An empty state is a fresh one; an id with every bit turned a refused one.
    function _read(Ledger storage ledger, Position memory p, bytes32 lockId, uint8 fresh)
        private
        view
        returns (State memory state)
    {
        (bytes32 stored, bytes32 packed) = ledger.app.lockOf(p.trade.hashlock);
        if (stored != lockId && stored != ~lockId) return state;
        state = stateOf(ledger, p.trade.hashlock);
        if (packed == 0) {
            state.status = stored == lockId ? fresh : REFUSED;
            state.cap = stored == lockId ? p.trade.energyWh : 0;
        }
    }

    function _pick(uint256 seed) private view returns (Position memory p, uint256 i) {
        i = seed % 2;
        p = _at(i);
    }

    function _at(uint256 i) internal view returns (Position memory p) {
        p = abi.decode(_encoded[i], (Position));
        p.sequence = _sequences[i];
    }

    function _wh(uint64 seed) private pure returns (uint64) {
        uint64[4] memory values = [uint64(0), 150, 299, 700];
        return values[seed % 4];
    }

    function _note(bool holds, string memory what) private {
        if (!holds && bytes(broken).length == 0) broken = what;
    }
}

/// @title From before the first packet on
contract TradeInvariants is TradeMoves {}

/// @title From the applied verdict on, so that most draws are exits
contract LockedTradeInvariants is TradeMoves {
    function setUp() public override {
        super.setUp();
        vm.warp(LOCK_DEADLINE - 10);
        this.doSend(0);
        this.doSend(1);
        vm.warp(TAU - 60);
        this.doReceive(0);
        this.doReceive(1);
        vm.warp(D - 10);
        DecidedLeaf[] memory group = both(accept(_at(0), 250), accept(_at(1), 600));
        (group[0].leaf.groupSize, group[1].leaf.groupSize) = (2, 2);
        applyOn(b, group, 11);
        vm.warp(E);
        this.doState(0, 1);
        this.doState(257, 1);
        this.doState(1, 1);
    }
}

/// @dev What the books are read with.
interface IAppLike {
    function balanceOf(address account) external view returns (uint256);
    function vaultOf(address account) external view returns (uint256);
    function orderOf(OrderRef calldata order)
        external
        view
        returns (uint8 status, uint64 energyLeft, uint64 moneyLeft, uint64 priceLimit);
}
