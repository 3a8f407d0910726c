// Package intake decides which transactions the pool takes, so that what it takes is in a block within about a second.
// A pool that takes everything turns a busy minute into a queue of minutes; this one refuses at once and says what fee
// would be taken.
package intake
