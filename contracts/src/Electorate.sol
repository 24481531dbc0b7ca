// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IOepConsensus} from "./IOepConsensus.sol";

/// @title Members and terms of each epoch
/// @notice A worker is an operator, its lasting and cold address, and the hot signer that votes for it. The two have a
/// seat from one epoch until another. Every change of members, signers or policy begins a new epoch, and an epoch's
/// terms never change afterwards: a round keeps the epoch in which it opened.
///
///  - A seat changes once, when it ends. A new signer is a new seat with the operator's index.
///  - A signer has one seat, ever: once its seat has ended, nobody can use the address again.
///  - An operator has at most one live seat.
///  - A member's index, 0 to 127, is its bit in the bitmaps. It is unique within an epoch, and free again once the seat
///    has ended.
///  - A quorum is the policy's share of the members, rounded up, and a strict majority at least.
///
/// @dev State-changing calls loop only over their own calldata.
abstract contract Electorate is IOepConsensus, AccessControl {
    // One slot, found by the signer: everything that a vote needs to know about its sender.
    struct Seat {
        address operator;
        uint32 since; // first epoch, 0 if the address was never a signer
        uint32 until; // first epoch without it
        uint8 index; // the member's bit
    }

    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    uint256 public constant MAX_MEMBERS = 128;
    uint32 public constant MAX_WINDOW = 7 days;
    uint256 public constant MAX_TEXT = 200;

    uint32 private constant NOT_ENDED = type(uint32).max;

    mapping(uint32 epoch => Terms) internal _terms; // one slot each
    mapping(address signer => Seat) internal _seats;
    mapping(uint8 index => address[] signers) private _signersAt; // in the order seated, so by first epoch
    mapping(address operator => address signer) private _signerOf;
    mapping(address operator => string url) private _endpoints;

    // These three and the number of rounds, declared next, share a slot: opening a round reads and writes one.
    uint32 internal _epoch;
    uint32 private _administrators;
    bool private _paused;

    // Begins epoch 1, without members.
    constructor(address admin, Policy memory policy) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _startPolicy(_terms[_epoch], policy); // of epoch 0, which is empty
    }

    function addWorkers(NewWorker[] calldata workers) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (workers.length == 0) revert Missing("workers");
        uint32 epoch = _epoch + 1;
        Terms memory next = _terms[_epoch];
        for (uint256 i = 0; i < workers.length; ++i) {
            NewWorker calldata worker = workers[i];
            if (worker.operator == address(0)) revert Missing("operator");
            address held = _signerOf[worker.operator];
            if (held != address(0)) revert AlreadyMember(worker.operator, held);
            if (next.memberCount == MAX_MEMBERS) revert ElectorateFull(MAX_MEMBERS);
            uint8 index = _lowestFree(next.members);
            next.members |= _bit(index);
            ++next.memberCount;
            _takeSeat(epoch, worker.operator, worker.signer, index);
            emit WorkerAdded(epoch, worker.operator, worker.signer, index);
            _setEndpoint(worker.operator, worker.url);
        }
        _startEpoch(next);
    }

    function removeWorker(address operator) external onlyRole(DEFAULT_ADMIN_ROLE) {
        uint32 epoch = _epoch + 1;
        (address signer, uint8 index) = _leaveSeat(epoch, operator);
        emit WorkerRemoved(epoch, operator, signer);
        Terms memory next = _terms[_epoch];
        next.members &= ~_bit(index);
        --next.memberCount;
        _startEpoch(next);
    }

    function rotateSigner(address signer) external {
        uint32 epoch = _epoch + 1;
        (address previous, uint8 index) = _leaveSeat(epoch, msg.sender);
        _takeSeat(epoch, msg.sender, signer, index);
        emit SignerRotated(epoch, msg.sender, signer, previous);
        _startEpoch(_terms[_epoch]);
    }

    function setPolicy(Policy calldata policy) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _startPolicy(_terms[_epoch], policy);
    }

    function setEndpoint(string calldata url) external {
        if (_signerOf[msg.sender] == address(0)) revert NotMember(msg.sender);
        _setEndpoint(msg.sender, url);
    }

    function pause() external onlyRole(GUARDIAN_ROLE) {
        _requirePaused(false);
        _paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _requirePaused(true);
        _paused = false;
        emit Unpaused(msg.sender);
    }

    function currentEpoch() external view returns (uint32) {
        return _epoch;
    }

    function terms(uint32 epoch) public view returns (Terms memory) {
        if (epoch == 0 || epoch > _epoch) revert UnknownEpoch(_epoch, epoch);
        return _terms[epoch];
    }

    function electorate(uint32 epoch) external view returns (SeatView[] memory members) {
        Terms memory terms_ = terms(epoch);
        members = new SeatView[](terms_.memberCount);
        uint256 found = 0;
        for (uint8 index = 0; found < members.length; ++index) {
            if (terms_.members & _bit(index) != 0) members[found++] = seatOf(_signerAt(index, epoch));
        }
    }

    function seatOf(address signer) public view returns (SeatView memory) {
        Seat memory seat = _seats[signer];
        if (seat.since == 0) signer = address(0);
        return SeatView(seat.operator, signer, seat.since, seat.until, seat.index);
    }

    function signerOf(address operator) external view returns (address) {
        return _signerOf[operator];
    }

    function endpointOf(address operator) external view returns (string memory) {
        return _endpoints[operator];
    }

    function paused() external view returns (bool) {
        return _paused;
    }

    // Counts the administrators, so that there is always one: otherwise a pause could not be lifted, and no seat added.
    function _grantRole(bytes32 role, address account) internal override returns (bool granted) {
        if (account == address(0)) revert Missing("account");
        if (account == address(this)) revert OwnAddress(account);
        granted = super._grantRole(role, account);
        if (granted && role == DEFAULT_ADMIN_ROLE) ++_administrators;
    }

    function _revokeRole(bytes32 role, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(role, account);
        if (revoked && role == DEFAULT_ADMIN_ROLE && --_administrators == 0) revert LastAdministrator(account);
    }

    // The member whose seat this signer has in the epoch; zero if it has no seat in it.
    function _seatIn(uint256 epoch, address signer) internal view returns (address operator, uint256 index) {
        Seat storage seat = _seats[signer];
        // Fields of one slot, read in a row, cost one read.
        uint256 since = seat.since;
        uint256 until = seat.until;
        index = seat.index;
        if (since <= epoch && epoch < until) operator = seat.operator;
    }

    function _requirePaused(bool expected) internal view {
        if (_paused != expected) revert PauseState(expected, _paused);
    }

    function _requireText(string calldata text) internal pure {
        if (bytes(text).length > MAX_TEXT) revert TextTooLong(MAX_TEXT, bytes(text).length);
    }

    function _bit(uint8 index) internal pure returns (uint128) {
        return uint128(1) << index;
    }

    function _startPolicy(Terms memory next, Policy memory policy) private {
        if (policy.quorumDenominator == 0 || policy.quorumNumerator > policy.quorumDenominator) {
            revert InvalidQuorum(policy.quorumNumerator, policy.quorumDenominator);
        }
        _requireWindow(policy.voteWindow);
        _requireWindow(policy.revealWindow);
        if (policy.rulesVersion == 0) revert Missing("rulesVersion");
        next.quorumNumerator = policy.quorumNumerator;
        next.quorumDenominator = policy.quorumDenominator;
        next.voteWindow = policy.voteWindow;
        next.revealWindow = policy.revealWindow;
        next.rulesVersion = policy.rulesVersion;
        uint32 epoch = _startEpoch(next);
        emit PolicyChanged(
            epoch,
            policy.quorumNumerator,
            policy.quorumDenominator,
            policy.voteWindow,
            policy.revealWindow,
            policy.rulesVersion
        );
    }

    function _startEpoch(Terms memory next) private returns (uint32 epoch) {
        next.quorum = _quorum(next);
        epoch = ++_epoch;
        _terms[epoch] = next;
        emit EpochStarted(epoch, next.members, next.memberCount, next.quorum);
    }

    // The policy's share, rounded up, and a strict majority at least.
    function _quorum(Terms memory terms_) private pure returns (uint8) {
        uint256 share = Math.ceilDiv(uint256(terms_.memberCount) * terms_.quorumNumerator, terms_.quorumDenominator);
        // At most the number of members, so it fits a byte; an empty electorate's quorum of one is never used.
        return uint8(Math.max(share, uint256(terms_.memberCount) / 2 + 1));
    }

    function _takeSeat(uint32 epoch, address operator, address signer, uint8 index) private {
        if (signer == address(0)) revert Missing("signer");
        if (_seats[signer].since != 0) revert SignerUsed(signer, _seats[signer].operator);
        _seats[signer] = Seat(operator, epoch, NOT_ENDED, index);
        _signersAt[index].push(signer);
        _signerOf[operator] = signer;
    }

    function _leaveSeat(uint32 epoch, address operator) private returns (address signer, uint8 index) {
        signer = _signerOf[operator];
        if (signer == address(0)) revert NotMember(operator);
        index = _seats[signer].index;
        _seats[signer].until = epoch;
        delete _signerOf[operator];
    }

    // The signer of the member with this index, in an epoch that has one: the last whose seat had begun by then.
    function _signerAt(uint8 index, uint32 epoch) private view returns (address) {
        address[] storage signers = _signersAt[index];
        uint256 low = 0;
        uint256 high = signers.length;
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (_seats[signers[middle]].since <= epoch) low = middle;
            else high = middle;
        }
        return signers[low];
    }

    function _setEndpoint(address operator, string calldata url) private {
        _requireText(url);
        _endpoints[operator] = url;
        emit EndpointChanged(operator, url);
    }

    function _lowestFree(uint128 members) private pure returns (uint8) {
        uint256 taken = members;
        return uint8(Math.log2(~taken & (taken + 1)));
    }

    function _requireWindow(uint32 window) private pure {
        if (window == 0 || window > MAX_WINDOW) revert InvalidWindow(MAX_WINDOW, window);
    }
}
