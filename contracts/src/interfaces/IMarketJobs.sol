// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DirectJob, Job, JobParams, JobTerms} from "../JobTypes.sol";
import {Receipt} from "../Types.sol";

/// @title IMarketJobsEvents
/// @notice The events and errors of direct jobs, beside those of IMarketEvents.
interface IMarketJobsEvents {
    /// @notice There is no such job.
    error UnknownJob(uint64 job);
    /// @notice The job is in a state that does not allow this.
    error WrongState(uint64 job, uint8 state);
    /// @notice The state's deadline has come.
    error TooLate(uint64 dueAt);
    /// @notice A term of the job is out of its bounds.
    error BadTerms(string term);
    /// @notice The miner is not registered, is jailed or has too little stake.
    error MinerInactive(address miner);
    /// @notice The client does not accept this miner.
    error MinerNotAllowed(address miner);
    /// @notice A field of the receipt does not answer the job.
    error BadReceipt(string field);
    /// @notice The bytes are not those that the result committed to.
    error WrongOutput();

    /// @notice A client ordered a job; key is its EIP-712 digest. No miners stand for any; document is empty, or what
    /// hashes to the terms' spec.
    event JobCreated(
        uint64 indexed job,
        address indexed client,
        bytes32 indexed model,
        bytes32 key,
        uint128 fee,
        uint128 bond,
        uint64 acceptBy,
        uint64 deadline,
        address[] miners,
        bytes document
    );
    /// @notice A miner accepted a job; its result is due at dueAt.
    event JobAccepted(uint64 indexed job, address indexed miner, uint128 bond, uint64 dueAt);
    /// @notice A miner committed to a result. `receipt` is the receipt's digest, (r, vs) its signature by the miner's key.
    event JobSubmitted(
        uint64 indexed job,
        address indexed miner,
        bytes32 indexed receipt,
        bytes32 delivery,
        uint64 dueAt,
        bytes32 r,
        bytes32 vs,
        Receipt signed
    );
    /// @notice A client says that it was not given the output; the miner must post it before dueAt.
    event JobChallenged(uint64 indexed job, uint64 dueAt);
    /// @notice A miner posted the output.
    event JobDelivered(uint64 indexed job, bytes output);
    /// @notice The client was called with the output; ok says whether it took it.
    event JobCalledBack(uint64 indexed job, address indexed client, bool ok);
    /// @notice A job ended. outcome: 1 acknowledged, 2 not challenged, 3 delivered (paid); 4 cancelled, 5 not accepted,
    /// 6 late, 7 not delivered (refunded). The amounts hold the bonds; fee is the protocol's.
    event JobClosed(
        uint64 indexed job,
        address indexed client,
        address indexed miner,
        uint8 outcome,
        uint128 toClient,
        uint128 toMiner,
        uint128 fee
    );
    /// @notice The parameters changed.
    event JobParamsSet(JobParams params);
}

/// @title IMarketJobs
/// @notice Direct jobs: ordered and paid on the chain, without a coordinator. All of it is at the Market's address.
/// @dev Each state has one deadline, dueAt; before it somebody may act, from it on only the chain does. States: 1 open,
/// 2 accepted, 3 submitted, 4 challenged, 5 paid, 6 refunded.
interface IMarketJobs is IMarketJobsEvents {
    /// @notice Orders a job and locks the coins sent as its fee.
    /// @param terms what is ordered
    /// @param miners who may accept, ascending, at most 32; none for any registered miner
    /// @param document empty, or the document that hashes to terms.spec, which the event then makes public
    function createJob(JobTerms calldata terms, address[] calldata miners, bytes calldata document)
        external
        payable
        returns (uint64 job);
    /// @notice Takes an order back that nobody has accepted. Client only.
    function cancelJob(uint64 job) external;
    /// @notice Accepts a job with its bond, which is lost to the client if the deadline is missed. Miners only.
    function acceptJob(uint64 job) external payable;
    /// @notice Commits to a result: a receipt signed by the miner's key, and the keccak of the bytes that a challenge
    /// would be answered with. Miner only.
    function submitResult(uint64 job, Receipt calldata receipt, bytes32 r, bytes32 vs, bytes32 delivery) external;
    /// @notice Pays at once; a client that challenged gives its bond away with it. Client only.
    function acknowledgeJob(uint64 job) external;
    /// @notice Says that the output was not delivered, with the job's bond. Client only, and not with a callback.
    function challengeJob(uint64 job) external payable;
    /// @notice Posts the output: the answer to a challenge, or the delivery to a client that is called back. Pays at
    /// once. Miner only.
    function deliverJob(uint64 job, bytes calldata output) external;
    /// @notice Ends a job whose deadline has come. Anyone.
    function expireJob(uint64 job) external;
    /// @notice Ends jobs whose deadlines have come, oldest first, a bounded number. The node only.
    function endJobs() external;
    /// @notice Sets the parameters. Governor only.
    function setJobParams(JobParams calldata params) external;

    /// @notice Returns a job; all zero when there is none.
    function job(uint64 id) external view returns (Job memory);
    /// @notice Returns who may accept a job; nobody stands for any miner.
    function jobMiners(uint64 id) external view returns (address[] memory);
    /// @notice Returns the EIP-712 digest by which receipts name the job.
    function jobKey(uint64 id) external view returns (bytes32);
    /// @notice Returns the number of jobs ever ordered, which is the newest one's id.
    function jobCount() external view returns (uint64);
    /// @notice Returns the sum of all jobs' locked fees and bonds.
    function jobsLocked() external view returns (uint256);
    /// @notice Returns the same for the jobs from to through, added up one by one.
    function jobsLockedIn(uint64 from, uint64 through) external view returns (uint256);
    /// @notice Returns the queue of jobs: the cursor's second and place, and how many entries wait.
    function jobQueue() external view returns (uint64 second, uint64 index, uint64 outstanding);
    /// @notice Returns the parameters.
    function jobParams() external view returns (JobParams memory);
}
