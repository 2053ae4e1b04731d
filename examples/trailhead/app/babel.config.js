// This file's job is to name the Babel preset.
module.exports = { presets: ['module:@react-native/babel-preset'] };
