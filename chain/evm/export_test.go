package evm

// Again opens an archive until it indexes its states.
var Again = again
