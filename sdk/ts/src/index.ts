export * from './merkle.js'
export * from './price.js'
export * from './typed.js'
