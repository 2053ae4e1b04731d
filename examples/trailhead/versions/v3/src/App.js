// This file's job is to wire the store, the translations and the screens together.
import React from 'react';
import { Provider } from 'react-redux';
import { NavigationContainer } from '@react-navigation/native';
import { createNativeStackNavigator } from '@react-navigation/native-stack';
import { SafeAreaProvider } from 'react-native-safe-area-context';
import { useTranslation } from 'react-i18next';

import './lib/i18n';
import { store } from './store';
import Trails from './screens/Trails';
import Trail from './screens/Trail';
import Shop from './screens/Shop';
import Basket from './screens/Basket';
import Journal from './screens/Journal';
import Settings from './screens/Settings';
import Planner from './screens/Planner';

const Stack = createNativeStackNavigator();

function Screens() {
  const { t } = useTranslation();
  return (
    <Stack.Navigator initialRouteName="Trails">
      <Stack.Screen name="Trails" component={Trails} options={{ title: t('trails.title') }} />
      <Stack.Screen name="Trail" component={Trail} options={({ route }) => ({ title: route.params.name })} />
      <Stack.Screen name="Shop" component={Shop} options={{ title: t('shop.title') }} />
      <Stack.Screen name="Basket" component={Basket} options={{ title: t('basket.title') }} />
      <Stack.Screen name="Journal" component={Journal} options={{ title: t('journal.title') }} />
      <Stack.Screen name="Planner" component={Planner} options={{ title: t('planner.title') }} />
      <Stack.Screen name="Settings" component={Settings} options={{ title: t('settings.title') }} />
    </Stack.Navigator>
  );
}

export default function App() {
  return (
    <Provider store={store}>
      <SafeAreaProvider>
        <NavigationContainer>
          <Screens />
        </NavigationContainer>
      </SafeAreaProvider>
    </Provider>
  );
}
