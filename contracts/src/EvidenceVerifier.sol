// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceLib} from "./EvidenceLib.sol";
import {ContradictedPromise, Domain, DoubleBatch, Equivocation, Fault} from "./EvidenceTypes.sol";

/// @title Takes evidence of sequencers' faults
/// @notice Anyone may prove a fault, once. A report is made in two steps, so that whoever watches the transactions that
///         wait for inclusion cannot copy the proof and claim to have found it: first `commit` to the evidence's id
///         under a salt, then, at least `revealDelay` blocks later, report the evidence itself with the salt.
/// @dev What follows from a proven fault is not decided here: a contract that holds stake inherits from this one and
///      overrides `_onFault`.
contract EvidenceVerifier {
    /// @notice Blocks between a commitment and its report. A block producer that wants to take over a report has to
    ///         hold it back for as long.
    uint256 public immutable revealDelay;

    /// @notice The block in which a commitment was made; zero if it was not.
    mapping(bytes32 commitment => uint256 blockNumber) public committedAt;

    /// @notice Who proved the fault with this evidence id; zero if nobody did.
    mapping(bytes32 id => address reporter) public reporterOf;

    event Committed(bytes32 indexed commitment);

    /// @notice A fault is proven. `chainId` and `genesisHash` name the rollup.
    event FaultProven(
        bytes32 indexed id,
        address indexed offender,
        address indexed reporter,
        Fault fault,
        uint256 chainId,
        bytes32 genesisHash
    );

    /// @notice The delay has to be at least one block, or it delays nothing.
    error NoRevealDelay();
    /// @notice The reporter did not commit to this evidence under this salt.
    error NotCommitted();
    /// @notice The commitment is too young: the report may come in this block.
    error TooEarly(uint256 blockNumber);
    /// @notice The fault is proven already: evidence is not replayed.
    error AlreadyReported(address reporter);
    /// @notice The accused cannot report itself, and so keep others from doing it.
    error AccusedReporter();

    constructor(uint256 revealDelay_) {
        if (revealDelay_ == 0) revert NoRevealDelay();
        revealDelay = revealDelay_;
    }

    // ------------------------------------------------------------------------------------------------------- looking

    /// @notice E1: the id of the evidence and who is at fault. Reverts with the reason if nothing is proven.
    function verifyEquivocation(Equivocation calldata evidence) external pure returns (bytes32 id, address offender) {
        return EvidenceLib.equivocation(evidence);
    }

    /// @notice E2, as above.
    function verifyContradictedPromise(ContradictedPromise calldata evidence)
        external
        pure
        returns (bytes32 id, address offender)
    {
        return EvidenceLib.contradictedPromise(evidence);
    }

    /// @notice E3, as above.
    function verifyDoubleBatch(DoubleBatch calldata evidence) external pure returns (bytes32 id, address offender) {
        return EvidenceLib.doubleBatch(evidence);
    }

    // ----------------------------------------------------------------------------------------------------- reporting

    /// @notice What `reporter` commits to. It names the reporter, so that nobody else can use it, and this contract on
    ///         this chain, so that it opens nothing elsewhere.
    function commitmentOf(address reporter, bytes32 id, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), reporter, id, salt));
    }

    /// @notice The first step of a report.
    /// @dev A commitment that stands already keeps its block: whoever copies one and is included first has made it for
    ///      the reporter and cannot make it younger.
    function commit(bytes32 commitment) external {
        if (committedAt[commitment] == 0) {
            committedAt[commitment] = block.number;
            emit Committed(commitment);
        }
    }

    /// @notice The second step, for E1.
    function reportEquivocation(Equivocation calldata evidence, bytes32 salt) external returns (bytes32 id) {
        address offender;
        (id, offender) = EvidenceLib.equivocation(evidence);
        _report(Fault.Equivocation, id, offender, evidence.domain, salt);
    }

    /// @notice The second step, for E2.
    function reportContradictedPromise(ContradictedPromise calldata evidence, bytes32 salt)
        external
        returns (bytes32 id)
    {
        address offender;
        (id, offender) = EvidenceLib.contradictedPromise(evidence);
        _report(Fault.ContradictedPromise, id, offender, evidence.domain, salt);
    }

    /// @notice The second step, for E3.
    function reportDoubleBatch(DoubleBatch calldata evidence, bytes32 salt) external returns (bytes32 id) {
        address offender;
        (id, offender) = EvidenceLib.doubleBatch(evidence);
        _report(Fault.DoubleBatch, id, offender, evidence.domain, salt);
    }

    function _report(Fault fault, bytes32 id, address offender, Domain calldata domain, bytes32 salt) private {
        if (offender == msg.sender) revert AccusedReporter();
        if (reporterOf[id] != address(0)) revert AlreadyReported(reporterOf[id]);
        uint256 since = committedAt[commitmentOf(msg.sender, id, salt)];
        if (since == 0) revert NotCommitted();
        if (block.number < since + revealDelay) revert TooEarly(since + revealDelay);
        reporterOf[id] = msg.sender;
        emit FaultProven(id, offender, msg.sender, fault, domain.chainId, domain.genesisHash);
        _onFault(fault, id, offender, msg.sender, domain);
    }

    /// @notice What a proven fault leads to. Called once an evidence id, after everything here is recorded.
    /// @dev The inheriting contract must check that `offender` is or was a key of the rollup that `domain` names, pay
    ///      less than it slashes, and pay nothing to a reporter who belongs to the accused.
    function _onFault(Fault fault, bytes32 id, address offender, address reporter, Domain calldata domain)
        internal
        virtual {}
}
