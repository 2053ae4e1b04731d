// This file's job is to be `react-native` for the plug-in: the simulated phone is in the global `phone` of each launch.
/* global phone */
module.exports = {
  NativeModules: { CodePush: phone.module },
  NativeEventEmitter: class {
    addListener() {
      return { remove() {} };
    }
  },
  AppState: phone.appState,
  Platform: { OS: 'android' },
};
