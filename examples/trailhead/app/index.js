// This file's job is to hand the root component to React Native.
import { AppRegistry } from 'react-native';
import App from './src/App';
import { name } from './app.json';

AppRegistry.registerComponent(name, () => App);
