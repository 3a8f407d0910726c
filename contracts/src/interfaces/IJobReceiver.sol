// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IJobReceiver
/// @notice A contract that orders direct jobs and wants to be called with their output.
interface IJobReceiver {
    /// @notice Takes the output of a job. The caller must be the Market: whoever else calls lies.
    /// @dev Called once, after the job was paid, with the gas that the job's terms say and no coins. Whatever happens
    /// here, reverting included, changes nothing about the payment. The Market cannot be entered again from here.
    /// @param job the job's number
    /// @param output the bytes that the miner committed to: in the clear, or sealed if the terms named a key
    function onJobDelivered(uint64 job, bytes calldata output) external;
}
